import assert from 'node:assert/strict';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { checkHistory } from '../src/checker/check.js';
import { back80, gapAfter } from '../scripts/lib/failover.js';
import { Endpoint, UNAVAILABLE, type Answer, type RpcError } from '../scripts/lib/load/grpc.js';
import { Histogram } from '../scripts/lib/load/histogram.js';
import { toIntervals, type Recorded } from '../scripts/lib/load/history.js';
import { idOf, padded } from '../scripts/lib/load/history-load.js';
import { LeanEndpoint } from '../scripts/lib/load/lean.js';
import { makeValue, scatteredKey, verifyValue } from '../scripts/lib/load/values.js';
import { compare, expectedOf } from '../scripts/lib/verify.js';

/** Answers every call with its own request, or with the error the path asks for. */
function echoServer(): Promise<{ server: Http2Server; url: string }> {
  const server = createServer();
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      const code = /error\/(\d+)/.exec(String(headers[':path']))?.[1];
      if (code !== undefined) {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code, 'grpc-message': 'etcdserver: it%20broke' }, { endStream: true });
        return;
      }
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.concat(parts));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve({ server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  });
}

interface Callable {
  call(path: string, body: Buffer, answer: Answer): void;
  close(): void;
}

function ask(client: Callable, path: string, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => client.call(path, body, (error, answer) => (error ? reject(error) : resolve(answer))));
}

const framed = (body: Buffer): Buffer => {
  const out = Buffer.alloc(5 + body.length);
  out.writeUInt32BE(body.length, 1);
  body.copy(out, 5);
  return out;
};

describe('load client of the drills', () => {
  const makers: Record<string, (url: string) => Callable> = {
    'frames on a socket': (url) => new LeanEndpoint(url, 2),
    'node:http2': (url) => {
      const endpoint = new Endpoint(url, 2);
      return { call: (path, body, answer) => endpoint.call(path, body, 0, answer), close: () => endpoint.close() };
    },
  };

  for (const [name, make] of Object.entries(makers)) {
    it(`${name}: a thousand calls at once come back with their own bodies, beyond the first flow-control window`, async () => {
      const { server, url } = await echoServer();
      const client = make(url);
      const bodies = Array.from({ length: 1000 }, (_, i) => Buffer.alloc(1 + ((i * 37) % 9000), i));
      const answers = await Promise.all(bodies.map((body) => ask(client, '/echo', framed(body))));
      answers.forEach((answer, i) => assert.ok(answer.equals(bodies[i] as Buffer), `call ${i}`));
      client.close();
      server.close();
    });

    it(`${name}: an error comes back with its code and its words`, async () => {
      const { server, url } = await echoServer();
      const client = make(url);
      await assert.rejects(ask(client, '/error/11', framed(Buffer.from('x'))), (error: RpcError) => {
        return error.code === 11 && error.message === 'OUT_OF_RANGE: etcdserver: it broke';
      });
      client.close();
      server.close();
    });

    it(`${name}: a refused connection is UNAVAILABLE`, async () => {
      const { server, url } = await echoServer();
      await new Promise((resolve) => server.close(resolve));
      const client = make(url);
      await assert.rejects(ask(client, '/echo', framed(Buffer.from('x'))), (error: RpcError) => error.code === UNAVAILABLE);
      client.close();
    });
  }

  it('notices one changed byte of a value', () => {
    const key = scatteredKey(1, 5);
    const value = makeValue(key, 3, 100);
    assert.ok(verifyValue(key, value, 100));
    for (const at of [0, 17, 30, 99]) {
      const changed = Buffer.from(value);
      changed[at] = (changed[at] as number) ^ 4;
      assert.equal(verifyValue(key, changed, 100), false, `byte ${at}`);
    }
    const record = padded('3.14', 64);
    assert.equal(idOf(record), '3.14');
    record[50] = (record[50] as number) ^ 1;
    assert.match(idOf(record), /^damaged/);
  });

  it('tells percentiles to the width of a bucket', () => {
    const histogram = new Histogram();
    for (let i = 1; i <= 1000; i++) histogram.record(i);
    assert.ok(Math.abs(histogram.percentile(0.5) - 500) < 12);
    assert.ok(Math.abs(histogram.percentile(0.99) - 990) < 22);
  });
});

describe('measuring and judging of the drills', () => {
  const op = (more: Partial<Recorded>): Recorded => ({
    kind: 'put', client: 0, key: 'k', value: 'v', revision: 2, modRevision: 0, expected: 0, ok: true, call: 0, end: 1, outcome: 'ok',
    endpoint: 0, error: '', ...more,
  });

  it('the gap ends with the first acknowledgement after the longest silence, not with the tail of what was decided before the kill', () => {
    assert.equal(gapAfter([90, 101, 102, 950, 951], 100, 10_000), 850);
    assert.equal(gapAfter([90, 101, 102], 100, 10_000, 5000), Infinity);
  });

  it('80 % of the rate is back only after the silence', () => {
    const before = Array.from({ length: 20 }, (_, i) => 100 + i);
    const after = Array.from({ length: 100 }, (_, i) => 1000 + 10 * i);
    assert.equal(back80([...before, ...after], 100, 100), 1000 - 100 + 150);
  });

  it('an acknowledged write that is missing, older or replaced by what nobody wrote is a fault', () => {
    const expected = expectedOf([op({}), op({ key: 'u', value: 'maybe', outcome: 'unknown', revision: 0 })]);
    const kv = (key: string, value: string, modRevision: number) =>
      new Map([[key, { key: Buffer.from(key), value: Buffer.from(value), modRevision, version: 1 }]]);
    assert.equal(compare(kv('k', 'v', 2), expected).missing + compare(kv('k', 'v', 2), expected).wrong, 0);
    assert.equal(compare(new Map(), expected).missing, 1);
    assert.equal(compare(kv('k', 'old', 1), expected).wrong, 1);
    assert.equal(compare(kv('k', 'other', 3), expected).wrong, 1);
    assert.equal(compare(new Map([...kv('k', 'v', 2), ...kv('u', 'maybe', 4)]), expected).wrong, 0);
    assert.equal(compare(new Map([...kv('k', 'v', 2), ...kv('z', 'what', 4)]), expected).wrong, 1);
  });

  it('a recorded history with a stale read does not pass', () => {
    const history = [
      op({ value: 'a', revision: 2, call: 0, end: 1 }),
      op({ value: 'b', revision: 3, call: 2, end: 3 }),
      op({ kind: 'get', value: 'a', modRevision: 2, revision: 2, call: 4, end: 5 }),
    ];
    const limits = { timeMs: 1000, memo: 1000, now: () => Date.now() };
    assert.equal(checkHistory(toIntervals(history), limits).passed, false);
    assert.equal(checkHistory(toIntervals(history.slice(0, 2)), limits).passed, true);
  });
});
