// Reads with Evidence's connector `@evidence-dev/duckdb`, called as Evidence calls it.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { getRunner } = require("@evidence-dev/duckdb");
const [path, query, stop] = process.argv.slice(2);
const shown = (value) => (value instanceof Date ? value.toISOString() : String(value));
const sources = mkdtempSync(join(tmpdir(), "evidence-sources-"));
const run = await getRunner({ filename: relative(sources, path) }, sources);
while (true) {
  const { rows } = await run(query, "answer.sql", 100000);
  for await (const [row] of rows()) console.log(Object.values(row).map(shown).join("\t"));
  if (existsSync(stop)) break;
  await new Promise((resume) => setTimeout(resume, 200));
}
rmSync(sources, { recursive: true });
