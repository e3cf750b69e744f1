import assert from 'node:assert/strict';
import { ByteWriter, MiB, utf8 } from '../../base/bytes.js';
import { digest64 } from '../../base/digest.js';
import { formatDigest } from '../../storage/block/handle.js';
import fc from 'fast-check';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { Clock, Env, Network } from '../../base/env.js';
import { CodecError, codeOf, NetworkError } from '../../base/errors.js';
import { silent } from '../../base/testing/silent.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { noFaults, type Region } from '../../storage/table/block-faults.js';
import { encodeInternalKey } from '../../storage/base/key.js';
import { formatWith, makeTable } from '../../storage/table/testing/sample-tables.js';
import { slotOf } from '../../storage/table/testing/table-entry.js';
import { TableStore } from '../../storage/table/table-store.js';
import { TableWriter } from '../../storage/table/table-writer.js';
import { tablePath, type TableMeta } from '../../storage/table/table-meta.js';
import { TableFetcher } from './table-fetcher.js';
import { TableServer } from './table-server.js';
import { decodeRegionsAnswer, decodeRegionsRequest, encodeRegionsAnswer, encodeRegionsRequest, type RegionsAnswer } from './table-wire.js';

/** Timers fire at once: rounds of retries take no time. */
const clock: Clock = {
  now: () => 0, wallNow: () => 0, defer: (fn) => void setImmediate(fn),
  setTimer: (_delay, fn) => {
    const handle = setImmediate(fn);
    return { cancel: () => clearImmediate(handle) };
  },
};

function envOf(disk: MemoryDisk, call: Network['call']): Env {
  const done = (): Promise<void> => Promise.resolve();
  const describe = (): Promise<Uint8Array> => Promise.reject(new NetworkError('UNREACHABLE', 'nobody is asked at a URL'));
  const nothing = (): void => undefined;
  const calls = { call, ask: call, describe };
  const network: Network = { maxFrameBytes: 1, start: done, send: nothing, guests: () => [], setPeers: nothing, stop: done, ...calls };
  const random = { uint32: () => 0, below: () => 0, float: () => 0 };
  return { clock, random, disk, network, workers: { breathe: () => undefined }, events: silent };
}

interface Peer {
  readonly disk: MemoryDisk;
  readonly server: Pick<TableServer, 'answer'>;
}

describe('fetching tables', () => {
  let meta: TableMeta;
  let file: Uint8Array;
  let regions: readonly Region[];
  let peers: Map<number, Peer>;
  let calls: number[];
  let own: MemoryDisk;
  let fetcher: TableFetcher;

  before(() => {
    const writer = new TableWriter(
      { version: 1, blockBytes: 4096, codec: 'none', scheme: { kind: 'rs', k: 4, m: 2 }, filterBitsPerKey: 10, tableBytes: 1 << 23 },
      { term: 1, proposer: 1, sequence: 5, ordinal: 0 },
    );
    for (let i = 0; i < 4000; i++) {
      const internalKey = new TextEncoder().encode(`u${String(i).padStart(8, '0')}............`);
      const value = new Uint8Array(1000).map((_, at) => (at * 13 + i) & 0xff);
      writer.add(slotOf({ internalKey, tombstone: false, liveDelta: 1, value, revision: i + 1, userSpace: true }));
    }
    meta = { ...writer.finish(), id: 4 };
    file = new Uint8Array(meta.bytes);
    let at = 0;
    for (const chunk of writer.takeChunks()) {
      file.set(chunk, at);
      at += chunk.length;
    }
    file.set(writer.headFooter().bytes, 0);
  });

  async function put(disk: MemoryDisk, path: string): Promise<void> {
    await disk.mkdir('tables');
    const handle = await disk.open(path, 'create');
    await handle.write(file, 0);
    handle.close();
  }

  async function addPeer(id: number, table: TableMeta | undefined, owed = false): Promise<void> {
    const disk = new MemoryDisk();
    if (table) await put(disk, tablePath(table.id));
    const tables = new TableStore(disk, new BlockCache(1 << 16), noFaults);
    const find = (name: { fileDigest: string }): TableMeta[] => (table?.fileDigest === name.fileDigest ? [table] : []);
    const held = { tables, find, owed: () => owed, hides: () => undefined };
    peers.set(id, { disk, server: new TableServer({ workers: { breathe: () => undefined } }, held) });
    if (table && regions === undefined) regions = tables.reader(table).regions();
  }

  function rot(id: number, region: Region | undefined): void {
    peers.get(id)?.disk.node(tablePath(id))?.bytes.fill(0xaa, region?.offset ?? 0, (region?.offset ?? 0) + (region?.length ?? 0));
  }

  beforeEach(async () => {
    peers = new Map();
    calls = [];
    own = new MemoryDisk();
    await own.mkdir('tables');
    // Each peer has the bytes under an id of its own: only birth and digest name them.
    for (const id of [11, 12]) await addPeer(id, { ...meta, id });
    const env = envOf(own, async (to, _method, request) => {
      calls.push(to);
      const peer = peers.get(to);
      if (peer === undefined) throw new NetworkError('UNREACHABLE', `no ${to}`);
      return (await peer.server.answer(request)).slice();
    });
    fetcher = new TableFetcher(env);
  });

  const data = (): readonly Region[] => regions.filter((region) => region.kind === 'data');
  const bytesAt = async (path: string): Promise<Uint8Array> => (await own.readDirect(path, 0, 1 << 26)).bytes;

  it('S6 a whole table arrives byte for byte, from both peers, in calls of up to a megabyte', async () => {
    const got = await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] });
    assert.equal(got.bytes, meta.bytes);
    assert.deepEqual(await bytesAt('tables/x.tmp'), file);
    const share = calls.filter((to) => to === 11).length;
    assert.ok(share > 0 && share < calls.length, 'both were asked');
    assert.ok(calls.length < 30, `${calls.length} calls for ${regions.length} regions`);
    assert.ok(fetcher.fetchedBytes >= 4e6 && fetcher.fetchedBytes < meta.bytes * 1.1, `${fetcher.fetchedBytes} fetched`);
  });

  it('S6 the block of a large value arrives too, far beyond what an answer otherwise holds', async () => {
    const value = new Uint8Array(21 * MiB).map((_, i) => (i * 31 + (i >> 12)) & 0xff);
    const entries = ['a', 'b', 'c'].map((name, i) => ({
      internalKey: encodeInternalKey(1, utf8(name), i + 1, 0), tombstone: false, liveDelta: 1, value: i === 1 ? value : utf8('small'), revision: i + 1, userSpace: true,
    }));
    const made = makeTable(entries, formatWith('rs(8,2)', 4096), 7);
    const small = { file, meta };
    [file, meta] = [made.bytes, made.meta];
    try {
      for (const id of [11, 12]) await addPeer(id, { ...meta, id });
      await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] });
      assert.ok(Buffer.from(await bytesAt('tables/x.tmp')).equals(file));
    } finally {
      ({ file, meta } = small);
    }
  }).timeout(20_000);

  it('S4 blocks that are bad at one peer come from the other', async () => {
    for (let i = 0; i < data().length; i += 40) rot(i % 80 === 0 ? 11 : 12, data()[i]);
    await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] });
    assert.deepEqual(await bytesAt('tables/x.tmp'), file);
  });

  it('S4 a peer that sends wrong bytes is not believed', async () => {
    const honest = peers.get(11)?.server as TableServer;
    const answer = async (request: Uint8Array): Promise<Uint8Array> => {
      const sound = decodeRegionsAnswer(await honest.answer(request));
      if (sound.kind === 'pieces') for (const piece of sound.pieces) if (piece.payload) piece.payload[0] = (piece.payload[0] ?? 0) ^ 1;
      return encodeRegionsAnswer(sound);
    };
    const lying = { answer };
    peers.set(11, { disk: own, server: lying });
    await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] });
    assert.deepEqual(await bytesAt('tables/x.tmp'), file);
    peers.delete(12);
    peers.set(13, { disk: own, server: lying });
    await assert.rejects(fetcher.fetchTable(meta, 'tables/y.tmp', { peers: [11, 13] }), (why) => codeOf(why) === 'UNREACHABLE');
    assert.equal(own.sizeOf('tables/y.tmp'), undefined, 'nothing is left behind');
  });

  it('only what is bad in the local file is fetched', async () => {
    await put(own, 'tables/4.sst');
    const bad = data()[7] as Region;
    own.node('tables/4.sst')?.bytes.fill(1, bad.offset, bad.offset + bad.length);
    const got = await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12], local: 'tables/4.sst' });
    assert.deepEqual([got.fetchedBlocks, calls.length], [1, 1]);
    assert.deepEqual(await bytesAt('tables/x.tmp'), file);
  });

  it('S4 what has come when the peers are gone is left, and only the rest comes at the next try', async () => {
    const all = await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] });
    assert.equal(all.bytes, meta.bytes);
    const whole = fetcher.fetchedBytes;
    let answers = 6;
    const env = envOf(own, async (to, _method, request) => {
      if (answers-- <= 0) throw new NetworkError('UNREACHABLE', 'gone');
      return (await (peers.get(to) as Peer).server.answer(request)).slice();
    });
    const broken = new TableFetcher(env, { rounds: 1 });
    await assert.rejects(broken.fetchTable(meta, 'tables/y.tmp', { peers: [11, 12], leave: 'tables/part.tmp' }), { code: 'UNREACHABLE' });
    assert.equal(own.sizeOf('tables/y.tmp'), undefined);
    const part = own.sizeOf('tables/part.tmp') ?? 0;
    assert.ok(part > 0);
    const again = { peers: [11, 12], local: 'tables/part.tmp', leave: 'tables/part.tmp' };
    await assert.rejects(broken.fetchTable(meta, 'tables/y.tmp', again), { code: 'UNREACHABLE' });
    assert.equal(own.sizeOf('tables/part.tmp'), part, 'a try that came less far takes nothing away');
    // What lies there is believed only where it verifies.
    own.node('tables/part.tmp')?.bytes.fill(0xaa, data()[1]?.offset, data()[2]?.offset);
    answers = Infinity;
    const before = broken.fetchedBytes;
    await broken.fetchTable(meta, 'tables/y.tmp', again);
    assert.deepEqual(await bytesAt('tables/y.tmp'), file);
    assert.ok(broken.fetchedBytes - before < whole - 500_000, `${broken.fetchedBytes - before} of ${whole} came again`);
  });

  it('H5 a write that did not arrive is caught when the file is read back, and nothing is left', async () => {
    const read = own.readDirect.bind(own);
    own.readDirect = async (path, offset, length) => {
      const got = await read(path, offset, length);
      if (path.endsWith('.tmp')) got.bytes[got.bytes.length >> 1] = (got.bytes[got.bytes.length >> 1] as number) ^ 1;
      return got;
    };
    await assert.rejects(fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] }), (error) => codeOf(error) === 'DIGEST_MISMATCH');
    assert.equal(own.sizeOf('tables/x.tmp'), undefined);
  });

  it('H5 what lies at the destination under a second name is not written through', async () => {
    await put(own, 'tables/4.sst');
    await own.link('tables/4.sst', 'tables/x.tmp');
    const before = own.node('tables/4.sst');
    await fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11], local: 'tables/4.sst' });
    assert.equal(own.node('tables/4.sst'), before);
    assert.notEqual(own.node('tables/x.tmp'), before);
  });

  it('a peer that never answers keeps no block back that another has, however many are asked for', async () => {
    const silent = new Set([11]);
    const env = envOf(own, async (to, _method, request) => {
      if (silent.has(to)) return new Promise(() => undefined);
      return (await (peers.get(to) as Peer).server.answer(request)).slice();
    });
    const patient = new TableFetcher(env);
    const wanted = data().slice(0, 40);
    const reader = new TableStore((peers.get(12) as Peer).disk, new BlockCache(0), noFaults).reader({ ...meta, id: 12 });
    const outcomes = await Promise.all(wanted.map(({ offset }) => {
      const digest = formatDigest(digest64(reader.readPayload(offset)));
      return patient.fetchBlock(meta, { offset, digest }, [11, 12]);
    }));
    assert.deepEqual(outcomes.map(({ kind }) => kind), wanted.map(() => 'good'));
  });

  it('D1 lost means that every peer said so: unreachable, "later" and "no such table" are not lost', async () => {
    const block = { offset: data()[3]?.offset ?? 0, digest: '0123456789abcdef' };
    rot(11, data()[3]);
    rot(12, data()[3]);
    assert.equal((await fetcher.fetchBlock(meta, block, [11, 12])).kind, 'lost');
    assert.equal((await fetcher.fetchBlock(meta, block, [11, 12, 99])).kind, 'unknown');
    await addPeer(13, undefined, true);
    assert.equal((await fetcher.fetchBlock(meta, block, [11, 12, 13])).kind, 'unknown');
    await addPeer(14, undefined);
    // It has compacted the table away, or is yet to have it: what was in it is elsewhere.
    assert.equal((await fetcher.fetchBlock(meta, block, [11, 12, 14])).kind, 'gone');
    assert.equal((await fetcher.fetchBlock(meta, block, [11, 12, 14, 99])).kind, 'unknown');
    await assert.rejects(fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12, 14] }), { code: 'UNREACHABLE' });
    await assert.rejects(fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12] }), { code: 'DATA_LOSS' });
    assert.deepEqual(await own.list('tables'), []);
  });

  it('D1 a peer that cannot find a block because its index or its footers are bad does not call it lost', async () => {
    const wanted = { offset: data()[3]?.offset ?? 0, digest: '0123456789abcdef' };
    const index = regions.find(({ kind }) => kind === 'index');
    const footers = regions.filter(({ kind }) => kind === 'footer');
    rot(11, data()[3]);
    rot(12, index);
    assert.equal((await fetcher.fetchBlock(meta, wanted, [11, 12])).kind, 'unknown');
    assert.equal((await fetcher.fetchBlock(meta, { ...wanted, offset: index?.offset ?? 0 }, [12])).kind, 'lost', 'the index itself is');
    for (const footer of footers) rot(11, footer);
    assert.equal((await fetcher.fetchBlock(meta, wanted, [11, 12])).kind, 'unknown');
    assert.equal((await fetcher.fetchBlock(meta, { ...wanted, offset: 0 }, [11])).kind, 'lost', 'the footer itself is');
    await peers.get(11)?.disk.unlink(tablePath(11));
    assert.equal((await fetcher.fetchBlock(meta, wanted, [11])).kind, 'lost', 'with the file everything is gone');
  });

  it('D1 a peer with one good footer has the footer, whichever end is asked for', async () => {
    const footers = regions.filter(({ kind }) => kind === 'footer');
    assert.equal(footers.length, 2);
    rot(11, footers[0]);
    rot(12, footers[1]);
    for (const peer of [11, 12]) {
      for (const footer of footers) {
        const wanted = { offset: footer.offset, digest: meta.rootDigest };
        assert.equal((await fetcher.fetchBlock(meta, wanted, [peer])).kind, 'good', `peer ${peer}, footer at ${footer.offset}`);
      }
    }
  });

  it('D1 a peer whose index is bad has its footers none the less', async () => {
    rot(12, regions.find(({ kind }) => kind === 'index'));
    for (const footer of regions.filter(({ kind }) => kind === 'footer')) {
      const outcome = await fetcher.fetchBlock(meta, { offset: footer.offset, digest: meta.rootDigest }, [12]);
      assert.equal(outcome.kind, 'good', `footer at ${footer.offset}`);
    }
  });

  it('a fetch that is cancelled ends, and leaves nothing', async () => {
    let looks = 0;
    const token = {
      get cancelled() {
        return ++looks > 2;
      },
    };
    await assert.rejects(fetcher.fetchTable(meta, 'tables/x.tmp', { peers: [11, 12], token }), (why) => codeOf(why) === 'CANCELLED');
    assert.deepEqual(await own.list('tables'), []);
  });

  it('a request or an answer that no member makes is a CodecError, not a broken invariant', async () => {
    const name = { birth: meta.birth, fileDigest: meta.fileDigest };
    const sound = encodeRegionsRequest({ ...name, offset: 0, bytes: 1 });
    const asking = (offset: number, bytes: number): Uint8Array =>
      new ByteWriter(80).raw(sound.subarray(0, sound.length - 2)).varint(offset).varint(bytes).finish();
    assert.deepEqual(asking(0, 1), sound);
    for (const request of [asking(0, 0), asking(2 ** 53 - 1, 1), asking(1, 2 ** 53 - 1), asking(2 ** 49, 2 ** 49)]) {
      assert.throws(() => decodeRegionsRequest(request), CodecError);
    }
    const far = new ByteWriter(16).u8(2).varint(2 ** 53 - 1).varint(0).finish();
    assert.throws(() => decodeRegionsAnswer(far), CodecError);
  });

  it('requests and answers read back, and arbitrary bytes are a CodecError', () => {
    const name = { birth: meta.birth, fileDigest: meta.fileDigest };
    const request = { ...name, offset: 7, bytes: 1 << 20 };
    assert.deepEqual(decodeRegionsRequest(encodeRegionsRequest(request)), request);
    const answers: RegionsAnswer[] = [
      { kind: 'none' },
      { kind: 'later' },
      { kind: 'pieces', next: 99, pieces: [{ offset: 1, payload: Uint8Array.of(1, 2) }, { offset: 5, payload: undefined }] },
    ];
    for (const answer of answers) assert.deepEqual(decodeRegionsAnswer(encodeRegionsAnswer(answer)), answer);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        for (const decode of [decodeRegionsRequest, decodeRegionsAnswer]) {
          try {
            decode(bytes);
          } catch (error) {
            assert.ok(error instanceof CodecError, String(error));
          }
        }
      }),
    );
  });
});
