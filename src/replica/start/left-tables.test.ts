import assert from 'node:assert/strict';
import type { MemoryDisk } from '../../base/disk/memory-disk.js';
import type { NodeId } from '../../base/ids.js';
import { testEnv, TestHub } from '../../base/testing/test-env.js';
import { BlockCache } from '../../storage/cache/block-cache.js';
import { noFaults, type Region } from '../../storage/table/block-faults.js';
import { tablePath } from '../../storage/table/table-meta.js';
import { TableStore } from '../../storage/table/table-store.js';
import { diskWith, formatWith, makeTable, sampleEntries } from '../../storage/table/testing/sample-tables.js';
import { TableServer } from '../fetch/table-server.js';
import { decodeRegionsAnswer, encodeRegionsRequest, TABLE_REGIONS_METHOD, type RegionsAnswer } from '../fetch/table-wire.js';
import { EarlyHandler } from './early-handler.js';
import { LeftTables } from './left-tables.js';

const made = makeTable(sampleEntries(200), formatWith('rs(4,2)'));
const { meta } = made;

/** A member that is no replica yet: its file, and whom it can ask. */
class Member {
  readonly disk: MemoryDisk;
  readonly left: LeftTables;
  readonly #early: EarlyHandler;

  constructor(id: NodeId, disk: MemoryDisk, hub: TestHub, peers: readonly NodeId[]) {
    this.disk = disk;
    const env = testEnv(id, disk, hub, () => undefined);
    this.left = new LeftTables(env, { peers }, { named: () => [meta] });
    this.#early = new EarlyHandler(env.network);
    this.#early.serveTables(new TableServer(env, this.left));
  }

  listen(): Promise<void> {
    return this.#early.listen();
  }

  async close(): Promise<void> {
    await this.#early.close();
    this.left.close();
  }

  async give(offset: number): Promise<RegionsAnswer> {
    const { birth, fileDigest } = meta;
    const request = encodeRegionsRequest({ birth, fileDigest, offset, bytes: 1 });
    return decodeRegionsAnswer(await this.#early.onCall(9, TABLE_REGIONS_METHOD, request));
  }

  rot({ offset, length }: Region): void {
    this.disk.node(tablePath(meta.id))?.bytes.fill(0xaa, offset, offset + length);
  }
}

describe('tables of a member that is no replica yet', () => {
  let regions: readonly Region[];
  let hub: TestHub;
  let here: Member;
  let other: Member;

  const ofKind = (kind: Region['kind'], nth = 0): Region => regions.filter((region) => region.kind === kind)[nth] as Region;

  beforeEach(async () => {
    const tables = new TableStore(await diskWith(made), new BlockCache(0), noFaults);
    regions = tables.reader(meta).regions();
    tables.close();
    hub = new TestHub();
    here = new Member(1, await diskWith(made), hub, [2]);
    other = new Member(2, await diskWith(made), hub, [1]);
    await Promise.all([here.listen(), other.listen()]);
  });
  afterEach(async () => {
    await here.close();
    await other.close();
  });

  async function givenInTheEnd(offset: number): Promise<RegionsAnswer> {
    for (let i = 0; i < 200; i++) {
      const answer = await here.give(offset);
      if (answer.kind === 'pieces') return answer;
      assert.equal(answer.kind, 'later', 'D1 nothing is said to be lost');
      await new Promise<void>((resolve) => setTimeout(resolve, 1));
    }
    return assert.fail('it is never given');
  }

  for (const bad of ['index', 'both footers'] as const) {
    it(`D1 gives a block that it alone has, although its ${bad} can no more be read: others have that`, async () => {
      const block = ofKind('data', 1);
      other.rot(block);
      for (const region of bad === 'index' ? [ofKind('index')] : [ofKind('footer'), ofKind('footer', 1)]) here.rot(region);
      const answer = await givenInTheEnd(block.offset);
      assert.ok(answer.kind === 'pieces');
      assert.ok(answer.pieces[0]?.payload !== undefined && answer.pieces[0].payload.length > 0);
    });
  }

  it('C1 asks once at a time for what leads on, however often it is asked itself', async () => {
    here.rot(ofKind('index'));
    const { offset } = ofKind('data');
    const answers = await Promise.all(Array.from({ length: 5 }, () => here.give(offset)));
    assert.ok(answers.every(({ kind }) => kind === 'later'));
    const { length } = ofKind('index');
    await givenInTheEnd(offset);
    assert.ok((hub.fetched.get(1) ?? 0) < 2 * length, `${hub.fetched.get(1)} bytes were fetched for an index of ${length}`);
  });
});
