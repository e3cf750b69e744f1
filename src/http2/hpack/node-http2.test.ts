import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import fc from 'fast-check';
import { HpackDecoder } from './decoder.js';
import { HpackEncoder } from './encoder.js';
import { HeaderList } from './header-list.js';
import { STATIC_FIELDS } from './static-table.js';
import { decodeAll, tableOf } from './testing/collect.js';
import type { Pair } from './testing/plain-hpack.js';
import { RawServer, type RawServerListener } from './testing/raw-server.js';

const OK = Uint8Array.of(0x88);

const sorted = (pairs: readonly Pair[]): Pair[] => [...pairs].sort((a, b) => (a.join('\0') < b.join('\0') ? -1 : 1));

/** The fields that Node makes of a request's headers. */
function fieldsOf(headers: http2.OutgoingHttpHeaders): Pair[] {
  return Object.entries(headers).flatMap(([name, value]): Pair[] =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, String(one)]),
  );
}

/** Decodes what Node's client sends, and answers at once. */
class Reader implements RawServerListener {
  readonly decoder = new HpackDecoder();
  readonly seen: (Pair[] | undefined)[] = [];
  readonly firstBytes: (number | undefined)[] = [];

  block(server: RawServer, stream: number, block: Uint8Array): void {
    this.seen.push(decodeAll(this.decoder, block));
    this.firstBytes.push(block[0]);
    server.headers(stream, OK, true);
  }

  tableBytes(): void {}
}

/** Answers each request with the lists whose numbers are in its path: a head, then trailers. */
class Writer implements RawServerListener {
  readonly #encoder = new HpackEncoder();
  readonly #lists: readonly HeaderList[];

  constructor(lists: readonly HeaderList[]) {
    this.#lists = lists;
  }

  readonly #decoder = new HpackDecoder();

  block(server: RawServer, stream: number, block: Uint8Array): void {
    const path = decodeAll(this.#decoder, block)?.find(([name]) => name === ':path')?.[1] ?? '';
    const [head, trailers] = path.slice(1).split('/').map((n) => this.#lists[Number(n)]);
    assert.ok(head !== undefined && trailers !== undefined);
    server.headers(stream, this.#encoder.encode(head), false);
    server.headers(stream, this.#encoder.encode(trailers), true);
  }

  tableBytes(bytes: number): void {
    this.#encoder.setPeerTableBytes(bytes);
  }
}

async function withClient(
  listener: RawServerListener,
  settings: http2.Settings,
  use: (client: http2.ClientHttp2Session, server: RawServer) => Promise<void>,
): Promise<void> {
  const server = await RawServer.listen(listener);
  // By default Node gives up at ten changes that are not acknowledged.
  const options = { settings, maxOutstandingSettings: 1000 };
  const client = http2.connect(server.url, options);
  try {
    await once(client, 'remoteSettings');
    await use(client, server);
  } finally {
    client.destroy();
    server.close();
  }
}

async function send(client: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders): Promise<void> {
  const request = client.request(headers, { endStream: true });
  request.resume();
  await once(request, 'close');
}

/** What Node's client understood of head and trailers. */
async function receive(client: http2.ClientHttp2Session, path: string): Promise<[Pair[], Pair[]]> {
  const request = client.request({ ':path': path }, { endStream: true });
  const got: Record<string, Pair[]> = {};
  for (const event of ['response', 'trailers']) request.on(event, (headers: http2.IncomingHttpHeaders) => (got[event] = fieldsOf(headers)));
  request.resume();
  await once(request, 'close');
  return [got['response'] ?? [], got['trailers'] ?? []];
}

const call = (more: http2.OutgoingHttpHeaders = {}): http2.OutgoingHttpHeaders => ({
  ':method': 'POST',
  ':scheme': 'http',
  ':authority': '127.0.0.1:2379',
  ':path': '/etcdserverpb.KV/Range',
  te: 'trailers',
  'content-type': 'application/grpc+proto',
  'user-agent': 'grpc-node-js/1.14.7',
  'grpc-accept-encoding': 'identity,deflate,gzip',
  ...more,
});

/** A text of hex digits that is another one for each n. */
const hex = (n: number, digits: number): string => (n * 2_654_435_761).toString(16).padStart(digits, '0').slice(-digits);

/** Of the static table: what Node sends in a request, and takes in an answer, with any value. */
const REQUEST_ROWS = STATIC_FIELDS.filter(([name]) => ![':status', 'transfer-encoding'].includes(name));
const ANSWER_ROWS = STATIC_FIELDS.filter(([name]) => !/^:|^(content-length|transfer-encoding)$/.test(name));

const REQUESTS: readonly http2.OutgoingHttpHeaders[] = [
  call(),
  call(),
  ...Array.from({ length: 30 }, (_, n) =>
    call({
      'grpc-timeout': `${4_999_999 - n * 17}u`,
      traceparent: `00-${hex(n, 32)}-${hex(n + 1, 16)}-01`,
      tracestate: `vendor=${hex(n, 8)},rojo=00f067aa0ba902b7`,
      baggage: `userId=alice,serverNode=DF%2028,isProduction=${n % 2 === 0}`,
      'grpc-trace-bin': Buffer.from(hex(n, 58), 'hex').toString('base64'),
    }),
  ),
  call({ authorization: `Bearer ${hex(1, 700)}`, token: 'simple.12', cookie: 'a=b' }),
  call({ 'x-kib': 'v'.repeat(1024), 'x-kib-of-symbols': '<{}>'.repeat(256) }),
  call({ 'x-kib': 'v'.repeat(1024), 'x-kib-of-symbols': '<{}>'.repeat(256) }),
  call({ 'x-bytes': '\x80\xe4\xff', 'x-empty': '', 'x-many': ['1', '2', '3'] }),
  call({ 'x-larger-than-a-frame': '\\~'.repeat(12_000) }),
  ...REQUEST_ROWS.map(([name, value]) => call({ [name]: value === '' ? 'v' : value })),
  call({ 'x-secret': 'never indexed', [http2.sensitiveHeaders]: ['x-secret'] }),
  ...Array.from({ length: 200 }, (_, n) => call({ [`x-${n % 70}`]: hex(n, n % 50) })),
];

describe("HPACK, against node:http2's", () => {
  it("what Node's client sends is read as it was given: tracing, large values, CONTINUATION, many fields", async () => {
    const reader = new Reader();
    await withClient(reader, {}, async (client) => {
      for (const headers of REQUESTS) await send(client, headers);
    });
    assert.equal(reader.seen.length, REQUESTS.length);
    REQUESTS.forEach((headers, i) => assert.deepEqual(sorted(reader.seen[i] ?? []), sorted(fieldsOf(headers)), `request ${i}`));
    assert.ok(tableOf(reader.decoder).length > 20, 'it made use of the table');
  });

  it("changes of the table's size by Node's client are followed", async () => {
    const reader = new Reader();
    const updates: boolean[] = [];
    await withClient(reader, {}, async (client, server) => {
      for (const sizes of [[], [0], [], [4096], [0, 4096], [100], [100, 4096]]) {
        if (sizes.length > 0) {
          const told = once(client, 'remoteSettings');
          server.announceTable(...sizes);
          await told;
        }
        await send(client, call());
        await send(client, call({ 'x-trace': hex(sizes.length, 20) }));
        updates.push(((reader.firstBytes.at(-2) ?? 0) & 0xe0) === 0x20);
      }
    });
    assert.deepEqual(updates, [false, true, false, true, true, true, true]);
    for (const pairs of reader.seen) {
      assert.deepEqual(sorted(pairs?.filter(([name]) => name !== 'x-trace') ?? []), sorted(fieldsOf(call())));
    }
  });

  const HEAD: readonly Pair[] = [[':status', '200'], ['content-type', 'application/grpc'], ['grpc-accept-encoding', 'gzip']];
  const ANSWERS: readonly { readonly pairs: readonly Pair[]; readonly once: boolean }[] = [
    { pairs: HEAD, once: false },
    { pairs: [...HEAD, ['x-large', '<'.repeat(3000)]], once: false },
    { pairs: [[':status', '200'], ['x-larger-than-a-frame', '~'.repeat(20_000)]], once: true },
    { pairs: [[':status', '415'], ['x-latin', '\xe4\xff']], once: true },
    { pairs: [['grpc-status', '0'], ['grpc-message', '']], once: false },
    { pairs: [['grpc-status', '14'], ['grpc-message', 'etcdserver: leader changed']], once: true },
    { pairs: [['grpc-status', '0'], ['x-more', 'v'.repeat(700)]], once: false },
    { pairs: [['grpc-status', '5'], ['grpc-status-details-bin', 'CAUSBm5vIGtleQ']], once: false },
  ];
  const lists = ANSWERS.map(({ pairs, once: isOnce }) => (isOnce ? HeaderList.once(...pairs) : HeaderList.of(...pairs)));

  async function check(client: http2.ClientHttp2Session, head: number, trailers: number): Promise<void> {
    const [gotHead, gotTrailers] = await receive(client, `/${head}/${trailers}`);
    assert.deepEqual(sorted(gotHead), sorted(ANSWERS[head]?.pairs ?? []));
    assert.deepEqual(sorted(gotTrailers), sorted(ANSWERS[trailers]?.pairs ?? []));
  }

  it("Node's client finds in our blocks every row of the static table, by itself and as a name", async () => {
    const statuses = STATIC_FIELDS.filter(([name]) => name === ':status');
    const answers: (readonly Pair[])[] = statuses.map((status) => [status, ['x', status[1]]]);
    for (const row of ANSWER_ROWS) answers.push([[':status', '200'], row], [[':status', '201'], [row[0], 'v']]);
    const made = answers.map((pairs, i) => (i % 2 === 0 ? HeaderList.of(...pairs) : HeaderList.once(...pairs)));
    const end = made.push(HeaderList.once(['grpc-status', '0'])) - 1;
    await withClient(new Writer(made), {}, async (client) => {
      for (let i = 0; i < end; i++) assert.deepEqual(sorted((await receive(client, `/${i}/${end}`))[0]), sorted(answers[i] ?? []));
    });
  });

  for (const headerTableSize of [undefined, 0, 64, 100, 4096, 65_536]) {
    it(`Node's client reads our blocks, with a table of ${headerTableSize ?? 'the default'} bytes`, async () => {
      await withClient(new Writer(lists), headerTableSize === undefined ? {} : { headerTableSize }, async (client) => {
        for (let round = 0; round < 3; round++) {
          for (const head of [0, 1, 2, 3]) for (const trailers of [4, 5, 6, 7]) await check(client, head, trailers);
        }
      });
    });
  }

  it("Node's client reads our blocks while it changes its table again and again", async () => {
    const size = fc.constantFrom(0, 50, 300, 1000, 4096, 20_000);
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ head: fc.nat(3), trailers: fc.integer({ min: 4, max: 7 }) }) },
      { weight: 1, arbitrary: fc.record({ sizes: fc.array(size, { minLength: 1, maxLength: 3 }) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), (steps) =>
        withClient(new Writer(lists), {}, async (client) => {
          for (const action of steps) {
            if ('sizes' in action) for (const headerTableSize of action.sizes) client.settings({ headerTableSize });
            else await check(client, action.head, action.trailers);
          }
        }),
      ),
      { numRuns: 25, endOnFailure: true },
    );
  });
});
