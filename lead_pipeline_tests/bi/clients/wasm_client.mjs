// Reads with `@duckdb/duckdb-wasm` in a headless Chromium, by a page and a server of its own.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rm } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript" };
const [path, query, stop] = process.argv.slice(2);
const modules = process.env.NODE_MODULES;
const page = new URL("wasm_page.html", import.meta.url).pathname;

const server = createServer((request, response) => {
  if (request.method === "POST") {
    let told = "";
    request.on("data", (part) => (told += part));
    request.on("end", () => hear(request.url, told, response));
  } else if (request.url === "/query") {
    response.end(query);
  } else {
    send(fileOf(request.url), response);
  }
});

function fileOf(url) {
  if (url === "/") return page;
  if (url === "/leads.duckdb") return path;
  return join(modules, normalize(url).replace(/^\/modules/, ""));
}

// A file is opened once, so that it is the old build or the new one.
function send(file, response) {
  if (!existsSync(file)) return response.writeHead(404).end();
  const type = file.endsWith(".wasm") ? "application/wasm" : TYPES[extname(file)];
  response.setHeader("content-type", type ?? "application/octet-stream");
  response.end(readFileSync(file));
}

function hear(url, told, response) {
  if (url === "/answer") console.log(told);
  else console.error(told);
  const goOn = url === "/answer" && !existsSync(stop);
  response.end(JSON.stringify(goOn), () => goOn || browser.kill());
}

const profile = mkdtempSync(join(tmpdir(), "wasm-client-"));
let browser;
server.listen(0, "127.0.0.1", () => {
  browser = spawn(
    "chromium",
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--no-first-run",
      `--user-data-dir=${profile}`,
      `http://127.0.0.1:${server.address().port}/`,
    ],
    { stdio: "ignore" },
  );
  browser.on("exit", () => {
    server.close();
    server.closeAllConnections();
    // Its helper processes may still write there for a moment after it has ended; rmSync would not wait.
    rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }, (error) => {
      if (error) throw error;
    });
  });
});
