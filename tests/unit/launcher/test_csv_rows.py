"""Other systems' CSV files: what can be read is read, and every row that cannot is named by its line."""

from __future__ import annotations

import pytest

from deploy.launcher.csv_rows import DEFAULT_MAPPING, Reader, UnusableFile, read_mapping, with_overrides


@pytest.fixture
def read(tmp_path):
    def rows(text, *pairs, encoding="utf-8-sig", **options):
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        mapping = with_overrides(read_mapping(DEFAULT_MAPPING), pairs)
        return list(Reader(path=path, mapping=mapping, encoding=encoding, **options).rows())

    return rows


def test_known_columns_are_found_in_either_language(read):
    (row,) = read("编号,标题,内容,受理时间,地址\nA1,路灯,不亮了,2026/11/02 09:30,光华东里1号楼\n")
    assert row.content == {
        "source_ref": "A1",
        "text": "路灯。不亮了",
        "occurred_at": "2026-11-02T01:30:00Z",
        "location": {"address": "光华东里1号楼"},
    }
    assert row.line == 2


def test_the_command_line_wins(read):
    (row,) = read("id,body,note\n1,一,二\n", "text={note}/{body}", "asker.name=note")
    assert row.content["text"] == "二/一"
    assert row.content["asker"] == {"name": "二"}


def test_broken_rows_carry_their_line_and_the_others_stand(read):
    rows = read('id,text,time\n1,好,2026-01-01\n2,多,2026-01-01,x\n3\n4,坏时间,昨天\n\n5,"跨\n行",\n6,末,\n')
    assert [(row.line, sorted(row.faults)) for row in rows] == [
        (2, []), (3, [""]), (4, [""]), (5, ["occurred_at"]), (7, []), (9, []),
    ]  # fmt: skip
    assert rows[4].content["text"] == "跨\n行"


def test_bytes_that_are_no_text_spoil_their_row_only(read):
    rows = read("id,text\n1,好\n".encode() + b"2,\xff\xfe\n" + "3,好\n".encode())
    assert [row.content.get("text") for row in rows] == ["好", None, "好"]
    assert "--encoding" in rows[1].faults[""][0]


def test_an_open_quotation_mark_is_named(read):
    (row,) = read('id,text\n1,x,"好\n2,好\n3,好\n')
    assert "quotation mark" in row.faults[""][0]


def test_gb18030(read):
    (row,) = read("编号,内容\n1,楼道灯不亮\n".encode("gb18030"), encoding="gb18030")
    assert row.content["text"] == "楼道灯不亮"


def test_a_byte_order_mark_is_no_part_of_the_first_column(read):
    (row,) = read(b"\xef\xbb\xbfid,text\n1,a\n")
    assert row.content["source_ref"] == "1"


def test_without_an_id_column_equal_files_give_equal_references_and_twins_differ(read):
    one = [row.content["source_ref"] for row in read("text\n甲\n乙\n甲\n")]
    assert one == [row.content["source_ref"] for row in read("text\n甲\n乙\n甲\n")]
    assert len(set(one)) == 3


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n"])
def test_a_file_without_text_column_says_what_to_do(read, text):
    with pytest.raises(UnusableFile) as refused:
        read(text)
    assert "--map" in refused.value.remedy


@pytest.mark.parametrize("pair", ["text", "text=", "colour=x"])
def test_a_mapping_that_makes_no_sense(read, pair):
    with pytest.raises(UnusableFile):
        read("text\n1\n", pair)


@pytest.mark.parametrize(
    ("options", "where"), [({"encoding": "klingon"}, "--encoding"), ({"timezone": "Mars/X"}, "--timezone")]
)
def test_an_unknown_option_is_blamed_not_the_file(read, options, where):
    with pytest.raises(UnusableFile) as refused:
        read("text\n1\n", **options)
    assert refused.value.where == where


def test_a_pattern_of_blank_columns_gives_nothing(read):
    blank, half = read("id,title,body\n1, ,\n2,,灯不亮\n")
    assert "text" not in blank.content
    assert half.content["text"] == "。灯不亮"
