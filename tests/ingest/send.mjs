// What a shop's Node server sends through Segment's own client: host and write key are the arguments.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const client = new Analytics({ writeKey, host, maxRetries: 1 });
const failures = [];
client.on("error", (error) => failures.push(error));
client.identify({ userId: "7", traits: { email: "ana@example.com", firstName: "Ana" } });
client.page({ userId: "7", name: "Tea" });
client.group({ userId: "7", groupId: "club" });
client.alias({ userId: "7", previousId: "guest-1" });
client.track({ anonymousId: "guest-1", event: "Product Viewed", properties: { product_id: "p" } });
const products = [{ product_id: "p", name: "Tea", price: 19.99, quantity: 2 }];
client.track({
  userId: "7",
  event: "Order Completed",
  properties: { order_id: "A-1", total: 44.98, shipping: 5, currency: "EUR", products },
});
await client.closeAndFlush({ timeout: 10000 });
console.log(JSON.stringify({ failures }));
