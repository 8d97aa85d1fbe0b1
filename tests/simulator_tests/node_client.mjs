// What a user of @hubspot/api-client does, against the stand-in: prints "fine", or what is not.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const env = process.env;
const require = createRequire(path.join(env.HUBSPOT_NODE_MODULES, "anchor.js"));
const hubspot = require("@hubspot/api-client");

const client = new hubspot.Client({ accessToken: env.SIM_TOKEN, basePath: env.SIM_URL });
const calls = client.crm.objects.calls;

const ids = [];
let after;
do {
  const page = await calls.basicApi.getPage(
    50, after, ["hs_call_title"], ["hs_call_title"], ["contacts"], false,
  );
  ids.push(...page.results.map((call) => call.id));
  after = page.paging?.next?.after;
} while (after);
assert.equal(new Set(ids).size, Number(env.SIM_CALLS));

const made = await calls.basicApi.create({
  properties: { hs_timestamp: "2026-01-15T09:00:00Z", hs_call_title: "SDK" },
  associations: [],
});
const edited = await calls.basicApi.update(made.id, { properties: { hs_call_title: "Edited" } });
assert.equal(edited.properties.hs_call_title, "Edited");
const batch = await calls.batchApi.read({
  inputs: [{ id: made.id }, { id: "7" }],
  properties: ["hs_call_title"],
  propertiesWithHistory: ["hs_call_title"],
});
assert.deepEqual(batch.results.map((call) => call.id), [made.id]);
assert.deepEqual(batch.errors[0].context.ids, ["7"]);
const values = batch.results[0].propertiesWithHistory.hs_call_title.map((item) => item.value);
assert.deepEqual(values, ["Edited", "SDK"]);
await calls.basicApi.archive(made.id);
assert.equal((await calls.basicApi.getById(made.id, [], [], [], true)).archived, true);

const found = await calls.searchApi.doSearch({ filterGroups: [], sorts: [], limit: 200 });
assert.equal(found.total, Number(env.SIM_CALLS));
await assert.rejects(
  calls.searchApi.doSearch({ filterGroups: [], sorts: [], limit: 200, after: "9900" }),
  (error) => error.code === 400,
);

const tokens = new hubspot.Client({ basePath: env.SIM_URL }).oauth.tokensApi;
const issued = await tokens.create(
  "refresh_token", undefined, undefined,
  env.SIM_CLIENT_ID, env.SIM_CLIENT_SECRET, env.SIM_REFRESH_TOKEN,
);
assert.ok(issued.accessToken);

assert.ok(
  hubspot.Signature.isValid({
    signatureVersion: "v3",
    signature: env.SIM_SIGNATURE,
    method: "POST",
    clientSecret: env.SIM_CLIENT_SECRET,
    requestBody: env.SIM_BODY,
    url: env.SIM_TARGET,
    timestamp: Number(env.SIM_TIMESTAMP),
  }),
);
console.log("fine");
