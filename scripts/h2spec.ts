/**
 * `npm run h2spec`: the conformance suite of HTTP/2 (github.com/summerwind/h2spec) against the
 * client port as it ships, over TCP and over TLS, in its plain and its strict form. Above it stands
 * a page instead of gRPC, which would refuse at once what h2spec asks for. The tool is taken from
 * the PATH, or built by `go install` into .data/.
 */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { silent } from '../src/base/testing/silent.js';
import { HeaderList } from '../src/http2/hpack/header-list.js';
import { DEFAULT_HTTP2_LIMITS } from '../src/http2/limits.js';
import type { RequestHandler } from '../src/http2/request-handler.js';
import type { RequestHead } from '../src/http2/request-head.js';
import type { Http2Stream } from '../src/http2/stream.js';
import { nodeClock } from '../src/server/env/node-env.js';
import { ClientPort } from '../src/server/transport/client-port.js';
import { listenAddress } from '../src/server/transport/listen-address.js';
import { openTls } from '../src/server/tls/testing/open-tls.js';
import { TEST_CERTIFICATE, TEST_KEY } from '../src/server/transport/testing/test-certificate.js';

const HELP = `usage: npm run h2spec

Runs h2spec against the client port: plain and TLS, each with and without the strict cases. Exit 0 if all pass.
h2spec is taken from the PATH; without it, and with Go on the PATH, it is built into .data/bin/ first.
`;
const MODULE = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible';
/** A case opens one stream more than allowed: with a small number it does so at once. */
const MAX_STREAMS = 100;

/** Answers every request with one page when all of it is here. */
class Page implements RequestHandler {
  readonly #headers = HeaderList.of([':status', '200'], ['content-type', 'text/plain']);
  readonly #trailers = HeaderList.of(['x-status', '0']);
  readonly #body = Buffer.from('a page of some length\n');

  request(stream: Http2Stream, _head: RequestHead, ended: boolean): void {
    if (ended) this.#answer(stream);
  }

  data(stream: Http2Stream, _bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    stream.consumed(to - from);
    if (ended) this.#answer(stream);
  }

  writable(): void {}

  over(stream: Http2Stream): void {
    stream.release();
  }

  #answer(stream: Http2Stream): void {
    stream.respond(this.#headers, new Uint8Array(0), this.#body, this.#trailers);
  }
}

function findTool(): string {
  if (spawnSync('h2spec', ['--version']).status === 0) return 'h2spec';
  const bin = fileURLToPath(new URL('../.data/bin', import.meta.url));
  const built = `${bin}/h2spec`;
  if (existsSync(built)) return built;
  mkdirSync(bin, { recursive: true });
  process.stderr.write('building h2spec with go install ...\n');
  const { status, error } = spawnSync('go', ['install', MODULE], { stdio: 'inherit', env: { ...process.env, GOBIN: bin, GOFLAGS: '-mod=mod' } });
  if (status === 0) return built;
  throw new Error(`h2spec is not on the PATH and cannot be built${error === undefined ? '' : ` (${error.message})`}: install Go, or ${MODULE}`);
}

function run(tool: string, args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.on('error', reject).on('close', (code) => resolve({ code: code ?? 1, out }));
  });
}

async function main(): Promise<number> {
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(HELP);
    return 0;
  }
  const tool = findTool();
  const clients = new ClientPort({
    handler: new Page(), limits: { ...DEFAULT_HTTP2_LIMITS, maxConcurrentStreams: MAX_STREAMS }, clock: nodeClock, events: silent,
    http1: undefined, maxConnections: 1_000,
  });
  let failed = 0;
  try {
    const anywhere = listenAddress('http://127.0.0.1:0');
    const plain = await clients.listen(anywhere);
    const tls = await clients.listen(anywhere, await openTls({ cert: TEST_CERTIFICATE, key: TEST_KEY }));
    for (const [what, port, secure] of [['plain', plain, []], ['TLS', tls, ['-t', '-k']]] as const) {
      for (const strict of [[], ['-S']] as const) {
        const { code, out } = await run(tool, ['-h', '127.0.0.1', '-p', String(port), '-o', '2', ...secure, ...strict]);
        const sum = /^\d+ tests, .*$/m.exec(out)?.[0] ?? 'no result';
        process.stdout.write(`${code === 0 ? 'pass' : 'FAIL'}  ${what}${strict.length > 0 ? ', strict' : ''}: ${sum}\n`);
        if (code === 0) continue;
        failed++;
        process.stdout.write(out);
      }
    }
  } finally {
    clients.close();
  }
  process.stdout.write(failed === 0 ? 'PASS\n' : 'FAIL\n');
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`h2spec: ${error instanceof Error ? error.message : String(error)}\n`);
  return 2;
});
