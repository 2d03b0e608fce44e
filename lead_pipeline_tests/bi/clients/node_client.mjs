// Reads with `@duckdb/node-api`, which is found through the folder in NODE_MODULES.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { DuckDBInstance } = require("@duckdb/node-api");
const [path, query, stop] = process.argv.slice(2);
while (true) {
  const instance = await DuckDBInstance.create(path, { access_mode: "READ_ONLY" });
  const connection = await instance.connect();
  const reader = await connection.runAndReadAll(query);
  console.log(reader.getRows()[0].map(String).join("\t"));
  connection.closeSync();
  instance.closeSync();
  if (existsSync(stop)) break;
  await new Promise((resume) => setTimeout(resume, 200));
}
