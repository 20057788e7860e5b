// A department in another language, written from docs/department-guide.md alone: nothing of the suite is used.
// Reports in, declines what is not water, completes the rest; prints every message it gets, one JSON line each.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import amqp from "amqplib";

const { DEPARTMENT, DEPARTMENT_BROKER_URL, SEEN_FILE } = process.env;
const seen = new Set(existsSync(SEEN_FILE) ? readFileSync(SEEN_FILE, "utf8").split("\n") : []);

const connection = await amqp.connect(`${DEPARTMENT_BROKER_URL}?heartbeat=20`);
const channel = await connection.createConfirmChannel();
await channel.prefetch(50);
channel.on("return", (message) => console.error("no queue for", message.fields.routingKey));

function answer(call, kind, more) {
  const event = {
    specversion: "1.0",
    id: `${DEPARTMENT}/${call.whistle}/${kind}`, // the same answer has the same id
    source: `urn:department:${DEPARTMENT}`,
    type: `gridwhistle.answer.${kind}.v1`,
    datacontenttype: "application/json",
    data: { whistle: call.whistle, ...more },
  };
  const options = { persistent: true, mandatory: true, contentType: "application/cloudevents+json", messageId: event.id };
  return new Promise((resolve, reject) =>
    channel.publish(`department.${DEPARTMENT}`, `answer.${kind}`, Buffer.from(JSON.stringify(event)), options, (error) =>
      error ? reject(error) : resolve()),
  );
}

await channel.consume(`whistle.${DEPARTMENT}`, async (message) => {
  const event = JSON.parse(message.content.toString("utf8"));
  if (!seen.has(event.id)) {
    if (event.type === "gridwhistle.whistle.called.v1") {
      await answer(event.data, "accepted", { note: "已出发 on our way" });
      if (event.data.request.includes("水")) {
        await answer(event.data, "completed", { note: "已处理 done" });
      } else {
        await answer(event.data, "declined", { note: "不是供水问题 not water", ground: "职责清单第三条" });
      }
    }
    appendFileSync(SEEN_FILE, `${event.id}\n`); // store first …
    seen.add(event.id);
    console.log(JSON.stringify({ type: event.type, data: event.data }));
  }
  channel.ack(message); // … then acknowledge
});
console.log(JSON.stringify({ type: "ready" }));
process.on("SIGTERM", async () => {
  await connection.close();
  process.exit(0);
});
