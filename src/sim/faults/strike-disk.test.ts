import assert from 'node:assert/strict';
import { EMPTY, equalBytes } from '../../base/bytes.js';
import { codeOf } from '../../base/errors.js';
import { runs } from '../../base/testing/runs.js';
import { FIRST_VERSION, NEWEST_VERSION } from '../../replica/base/protocol.js';
import { encodeSlot, slotOffset } from '../../replica/hard-state/slots.js';
import { tablePath } from '../../storage/table/table-meta.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { SimDisk } from '../disk/sim-disk.js';
import { testPump } from '../testing/pump.js';
import { possibleCells } from './testing/cells.js';
import { type Cell } from './cells.js';
import { mayDoom } from './context.js';
import type { FaultAction, Spread } from '../model/fault.js';
import { readSegments } from './log-places.js';
import { PATHS } from '../model/paths.js';
import { isClean, readCopies, readSlots } from './manifest-places.js';
import { strikeDisk } from './strike-disk.js';
import { structureAt } from './file-structure.js';
import { partOfTable, placesOf } from './testing/places.js';
import { tablesOf } from './structures.js';
import { remembered, restedCluster, trialOf, type Remembered, type Rested, type Trial } from './testing/struck-nodes.js';

const SECOND_US = 1_000_000;
/** Done by a crash, or in need of a process that writes. */
const NEED_A_LIFE: readonly string[] = ['torn-append', 'unsynced-lost', 'unsynced-name-lost'];
const STORED_ONLY: readonly string[] = ['bit-flip', 'burst', 'zeroed', 'junk', 'stale', 'missing', 'truncated', 'extended', 'misnamed'];
const STATE: readonly string[] = ['log-', 'hardstate-', 'manifest-'];

/** Done to what is not there at first. */
const WAITING: readonly Cell[] = [
  { kind: 'stale', structure: 'hints-file' }, { kind: 'zeroed', structure: 'hints-file' }, { kind: 'stale', structure: 'hardstate-slot' },
  { kind: 'truncated', structure: 'repairs-file' }, { kind: 'stale', structure: 'promises-file' }, { kind: 'misread', structure: 'repairs-file' },
];

function action(id: number, { kind, structure }: Cell, spread: Spread): FaultAction {
  return { id, atUs: 0, class: 'disk', kind, structure, spread };
}

async function strike(trial: Trial, actions: readonly FaultAction[]): Promise<void> {
  for (const each of actions) strikeDisk(trial.context, each);
  await trial.world.run(testPump, trial.world.nowUs + SECOND_US);
}

function strikes({ context }: Trial, { kind, structure }: Cell): number {
  return context.coverage.count(`fault ${kind} ${structure}`);
}

function contents(nodes: readonly SimNode[]): unknown {
  return nodes.map(({ disk }) => disk.list().map(({ path }) => [path, disk.medium(path)?.slice()]));
}

function bytesAt(disk: SimDisk, path: string, offset: number, length: number): Uint8Array {
  return disk.medium(path)?.slice(offset, offset + length) ?? EMPTY;
}

function updateSlots(disk: SimDisk): void {
  const bytes = disk.medium('hardstate')?.slice() ?? assert.fail();
  for (const { slot, record } of readSlots(disk)) {
    bytes.set(encodeSlot({ ...record, sequence: record.sequence + 1 }, slot), slotOffset(slot));
  }
  disk.put('hardstate', bytes);
}

for (const version of [FIRST_VERSION, NEWEST_VERSION]) describe(`a strike on disks of a cluster of version ${version}`, function () {
  this.timeout(60_000);
  let rested: Rested;
  let healthy: Remembered[];
  /** Where the batches of each node lie while nothing has struck, and their bytes. */
  let whole: { path: string; offset: number; length: number; previousIndex: number; last: number; bytes: Uint8Array }[][];

  before('real files', async () => {
    rested = await restedCluster(3, version);
    const trial = trialOf(rested, 1, 'table');
    whole = trial.context.nodes.map(({ disk }) =>
      readSegments(disk, rested.settings.logSegmentBytes).flatMap(({ path, batches }) =>
        batches.map(({ offset, length, previousIndex, last }) =>
          ({ path, offset, length, previousIndex, last, bytes: bytesAt(disk, path, offset, length) }))));
    healthy = [];
    for (const node of trial.context.nodes) healthy.push(await remembered(trial, node));
  });

  it('knows where everything lies', () => {
    const trial = trialOf(rested, 1, 'table');
    const node = trial.context.nodes[0] as SimNode;
    const { disk } = node;
    const segments = readSegments(disk, rested.settings.logSegmentBytes);
    const flushed = (rested.durable[0] as NonNullable<Rested['durable'][0]>).flushed.index;
    assert.ok(segments.length >= 2 && segments.every(({ headerAt, sizeGood }) => sizeGood && headerAt.length === 2));
    assert.ok(segments.some(({ batches }) => batches.some((batch) => batch.last < flushed)), 'some of the log is below the flushed index');
    assert.ok(segments.every(({ batches }) => batches.every(({ whole }) => whole)));
    assert.equal(readSlots(disk).length, 4);
    const copies = readCopies(disk);
    assert.ok(copies.length >= 6 && copies.length % 3 === 0 && copies.every((copy) => isClean(disk, copy)));
    assert.ok(tablesOf(trial.context, node).length >= 2);
    for (const structure of ['table-data', 'table-parity', 'table-index', 'table-filter', 'table-properties', 'table-footer'] as const) {
      const places = placesOf(trial.context, node, structure);
      assert.ok(places.length > 0, structure);
      for (const { path, offset, length } of places) {
        const meta = tablesOf(trial.context, node).find(({ id }) => path === `tables/${id}.sst`) ?? assert.fail();
        const region = trial.context.oracle.census.pristine(meta.fileDigest)?.touched(offset, 1)[0] ?? assert.fail();
        const named = partOfTable(region, offset + (structure === 'table-parity' ? length - 1 : 0));
        assert.equal(named, structure);
      }
    }
    for (const structure of ['log-record', 'log-identity', 'log-header', 'hardstate-slot', 'manifest-record'] as const) {
      const places = placesOf(trial.context, node, structure);
      assert.ok(places.length > 0, structure);
      const { logSegmentBytes } = rested.settings;
      for (const { path, offset } of places) assert.equal(structureAt(path, offset, logSegmentBytes, disk), structure);
    }
  });

  it('is the same for the same seed', async () => {
    const actions = possibleCells('table').map((cell, i) => action(i, cell, (['one', 'same', 'helix'] as const)[i % 3] as Spread));
    const [a, b] = [trialOf(rested, 11, 'table'), trialOf(rested, 11, 'table')];
    for (const trial of [a, b]) await strike(trial, actions);
    assert.deepEqual(a.context.coverage.toJSON(), b.context.coverage.toJSON());
    a.context.nodes.forEach(({ disk }, i) => {
      const other = (b.context.nodes[i] as SimNode).disk;
      assert.deepEqual(disk.list(), other.list());
      for (const { path } of disk.list()) assert.deepEqual(disk.medium(path), other.medium(path), path);
    });
  });

  it('changes what is stored in every cell of stored damage that these files have', async () => {
    for (const cell of possibleCells('table')) {
      if (!STORED_ONLY.includes(cell.kind) || cell.structure === 'repairs-file' || cell.structure === 'hints-file') continue;
      let hit = 0;
      for (let seed = 1; seed <= 6 && hit === 0; seed++) {
        // A manifest may go only while others can give theirs.
        const trial = trialOf(rested, seed, 'table', cell.structure === 'manifest-file' ? 'up' : 'down');
        await strike(trial, [action(seed, cell, 'one')]);
        hit = strikes(trial, cell);
      }
      // An older slot comes back only after a later update, which nobody makes here.
      if (cell.kind === 'stale' && ['hardstate-slot', 'promises-file'].includes(cell.structure)) assert.equal(hit, 0);
      else assert.ok(hit > 0, `${cell.kind} of ${cell.structure} never struck`);
    }
  });

  it('R6 leaves every node where its log ended while not all others are whole', async () => {
    const cells = possibleCells('table').filter(({ kind, structure }) => STORED_ONLY.includes(kind) && ['log-identity', 'log-record'].includes(structure));
    for (let seed = 1; seed <= 8; seed++) {
      const trial = trialOf(rested, seed, 'table');
      const ends = (): unknown => trial.context.nodes.map(({ disk }) =>
        readSegments(disk, rested.settings.logSegmentBytes).flatMap(({ path, batches }) =>
          batches.filter(({ endsArea }) => endsArea).map(({ identityAt, identityLength }) => [path, identityAt, identityLength])));
      const before = ends();
      await strike(trial, cells.map((cell, i) => action(i, cell, 'same')));
      assert.deepEqual(ends(), before, `seed ${seed}`);
    }
  });

  it('R2 R3 R6 in profile table leaves every node its promises, its manifest and its log after the flushed index, whatever comes together', async () => {
    const cells = possibleCells('table').filter(({ kind, structure }) =>
      STATE.some((part) => structure.startsWith(part)) && !NEED_A_LIFE.includes(kind));
    for (let seed = 1; seed <= runs(10, 20); seed++) {
      const trial = trialOf(rested, seed, 'table');
      const random = trial.world.stream('trial');
      const spread = random.pick(['one', 'same', 'helix'] as const);
      const actions = Array.from({ length: random.between(1, 12) }, (_, i) => action(i, random.pick(cells), spread));
      // Only what is stored or read matters to a start: refusals of writes may end it, with an
      // error that says so.
      const fitting = actions.filter(({ kind }) => !['write-error', 'no-space', 'sync-error', 'sync-dir-error', 'stalled-sync'].includes(kind));
      await strike(trial, fitting);
      for (const [i, node] of trial.context.nodes.entries()) {
        const what = `seed ${seed}, node ${node.id}: ${fitting.map(({ kind, structure }) => `${kind} ${structure}`).join(', ')}`;
        let after: Remembered;
        try {
          after = await remembered(trial, node);
        } catch (error) {
          throw new Error(`${what}: ${String(error)}`, { cause: error });
        }
        assert.deepEqual(after.hardState, healthy[i]?.hardState, what);
        assert.deepEqual(after.manifest, healthy[i]?.manifest, what);
        assert.deepEqual(after.entries, healthy[i]?.entries, what);
        assert.equal(trial.context.oracle.verdict.doomed(node.id), false, what);
      }
    }
  });

  it('D1 leaves every block of every table a copy that is whole or within parity', async () => {
    const cells = possibleCells('table').filter(({ kind, structure }) => structure.startsWith('table-') && !NEED_A_LIFE.includes(kind));
    let struck = 0;
    for (let seed = 1; seed <= runs(5, 10); seed++) {
      const trial = trialOf(rested, seed, 'table');
      const random = trial.world.stream('trial');
      const spread = random.pick(['one', 'same', 'helix'] as const);
      await strike(trial, Array.from({ length: 40 }, (_, i) => action(i, random.pick(cells), spread)));
      for (const name of Object.values(trial.context.coverage.toJSON())) struck += name;
      for (const meta of rested.durable.flatMap(({ levels }) => levels.flat())) {
        const pristine = trial.context.oracle.census.pristine(meta.fileDigest) ?? assert.fail();
        for (const region of pristine.regions) {
          const states = trial.context.nodes.map(({ disk }) => pristine.stateOf(disk.medium(`tables/${meta.id}.sst`) ?? new Uint8Array(0), region));
          assert.ok(states.some((state) => state !== 'beyond'), `seed ${seed}: ${region.kind} at ${region.offset} of table ${meta.id}`);
        }
      }
    }
    assert.ok(struck > runs(50, 100), String(struck));
  });

  for (const over of [false, true]) {
    it(over ? 'whatever it waits for, strikes nothing once the faults are over' : 'waits for what must be there first', async () => {
      for (const cell of WAITING) {
        const what = `${cell.kind} of ${cell.structure}`;
        const trial = trialOf(rested, 3, 'table', 'up');
        const { world } = trial;
        // Between two looks, so that one is on its way.
        const context = { ...trial.context, untilUs: world.nowUs + 2 * SECOND_US + 7_000 };
        let powerOffs = 0;
        for (const { disk } of context.nodes) {
          disk.powerOffAfter = () => void powerOffs++;
          if (cell.kind === 'stale' && cell.structure === 'hints-file') disk.put('hints', Uint8Array.of(1));
        }
        strikeDisk(context, action(1, cell, 'same'));
        await world.run(testPump, over ? context.untilUs : world.nowUs + SECOND_US);
        assert.equal(strikes(trial, cell) + powerOffs, 0, `${what} struck what is not there`);
        for (const { disk } of context.nodes) {
          if (cell.structure === 'hints-file') disk.put('hints', Uint8Array.of(2, 3));
          else if (cell.structure === 'repairs-file') disk.put('repairs/1', Uint8Array.of(4, 5));
          else if (cell.structure === 'promises-file') disk.put('promises', Uint8Array.of(6, 7));
          else updateSlots(disk);
        }
        const before = contents(context.nodes);
        await world.run(testPump, world.nowUs + 5 * SECOND_US);
        assert.equal(strikes(trial, cell) + powerOffs > 0, !over, what);
        if (over) assert.deepEqual(contents(context.nodes), before, what);
      }
    });
  }

  for (const grave of [false, true]) {
    it(`D1 ${grave ? 'takes more from a node that is lost anyway' : 'takes no promises from a node that lost its manifest and has the only copy of a block'}`, () => {
      const { context } = trialOf(rested, 1, 'full', 'up');
      const { oracle, nodes } = context;
      const meta = rested.durable[0]?.levels.flat()[0] ?? assert.fail();
      const block = oracle.census.pristine(meta.fileDigest)?.regions.find(({ kind }) => kind === 'data') ?? assert.fail();
      for (const { id, disk } of nodes.slice(1)) {
        assert.ok(oracle.verdict.mayDamage(id, tablePath(meta.id), block.offset, block.length));
        disk.alter(tablePath(meta.id), block.offset, (bytes) => void bytes.fill(0), block.length, false);
      }
      const [node = assert.fail()] = nodes;
      oracle.noteDamage(node.id, 'manifest/1', 0, 4096, 'missing', true);
      if (grave) oracle.noteDamage(node.id, 'hardstate', 0, 4096, 'missing', true);
      assert.equal(oracle.verdict.doomed(node.id), true);
      assert.equal(mayDoom(context, node), grave);
    });
  }

  /** Whose bytes are what they were, in a segment with a header. Its identity may be gone. */
  function intactEntries(id: number, disk: SimDisk): number[] {
    const headed = new Set(readSegments(disk, rested.settings.logSegmentBytes).filter(({ headed }) => headed).map(({ path }) => path));
    return (whole[id - 1] ?? assert.fail()).flatMap(({ path, offset, length, previousIndex, last, bytes }) => {
      if (!headed.has(path) || !equalBytes(bytes, bytesAt(disk, path, offset, length))) return [];
      return Array.from({ length: last - previousIndex }, (_, i) => previousIndex + 1 + i);
    });
  }

  it('D1 in profile full leaves each entry, a version that reaches to every log, and the promises of a majority', async () => {
    const cells = possibleCells('full').filter(({ kind, structure }) => STATE.some((part) => structure.startsWith(part)) && STORED_ONLY.includes(kind));
    const codes = new Map<string, number>();
    let [logs, manifests] = [0, 0];
    for (let seed = 1; seed <= 40; seed++) {
      const trial = trialOf(rested, seed, 'full', 'up');
      const { nodes, oracle, coverage } = trial.context;
      const { verdict } = oracle;
      const random = trial.world.stream('trial');
      await strike(trial, Array.from({ length: 10 }, (_, i) => action(i, random.pick(cells), 'helix')));
      logs += coverage.count(PATHS.logsDamagedTogether);
      manifests += coverage.count(PATHS.manifestsLostTogether);
      assert.ok(nodes.filter(({ id }) => verdict.beyondRecall(id)).length <= 1, `seed ${seed}`);
      const counted = nodes.filter(({ id }) => !verdict.beyondRecall(id));
      const kept = new Set(counted.flatMap(({ id, disk }) => intactEntries(id, disk)));
      const inTables = Math.max(...counted.map(({ id }) => (verdict.lostManifest(id) ? 0 : (rested.durable[id - 1]?.flushed.index ?? 0))));
      for (const { index } of healthy[0]?.entries ?? []) {
        assert.ok(index <= inTables || kept.has(index), `seed ${seed}: nobody has entry ${index}`);
      }
      for (const [i, node] of nodes.entries()) {
        try {
          const after = await remembered(trial, node);
          assert.deepEqual(after.entries, healthy[i]?.entries, `seed ${seed}`);
          assert.equal(after.hardState.term, healthy[i]?.hardState.term, `seed ${seed}: nobody forgets its term`);
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
          // One that does not know its end any more keeps what it has, and asks the others.
          const asks = codeOf(error) === 'ENTRY_FAULTY' && oracle.ledger.changed(node.id, 'log') !== undefined;
          assert.ok(verdict.doomed(node.id) || verdict.lacksEntries(node.id) || asks, `seed ${seed}, node ${node.id}: ${String(error)}`);
          const code = codeOf(error) ?? String(error);
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }
      }
      assert.ok(nodes.some(({ id }) => !verdict.doomed(id)), `seed ${seed}: nobody has a version`);
    }
    for (const code of ['ENTRY_FAULTY', 'UNREADABLE', 'MANIFEST_UNREADABLE']) assert.ok(codes.has(code), `no node stopped with ${code}`);
    assert.ok(logs > 10 && manifests > 0, `${logs} times two logs, ${manifests} times two manifests`);
  });
});
