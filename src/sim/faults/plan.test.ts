import assert from 'node:assert/strict';
import { World } from '../world/world.js';
import { isFullOnly, isPossible } from './cells.js';
import { possibleCells } from './testing/cells.js';
import { DISK_FAULTS, MEMBER_FAULTS, NETWORK_FAULTS, OPS_FAULTS, PROCESS_FAULTS, STRUCTURES, type FaultAction, type FaultProfile } from '../model/fault.js';
import { IMPOSSIBLE } from './impossible.js';
import { planFaults, planJoined, planLogs, planOps, wholePlan } from './plan.js';

const SECOND_US = 1_000_000;
const SETTINGS = { faultsFromUs: 5 * SECOND_US, faultsUntilUs: 530 * SECOND_US } as const;
const SEEDS = 500;

function planOf(seed: number, profile: FaultProfile): FaultAction[] {
  return planFaults(new World({ seed }), profile, SETTINGS);
}

function allPlans(profile: FaultProfile): FaultAction[] {
  const seeds = Array.from({ length: SEEDS }, (_, i) => i + 1);
  return seeds.flatMap((seed) => [...planOf(seed, profile), ...planJoined(new World({ seed }), profile, SETTINGS, 0)]);
}

describe('a plan of faults', () => {
  it('is a function of seed and profile', () => {
    for (const seed of [1, 7, 12_345_678_901]) {
      assert.deepEqual(planOf(seed, 'table'), planOf(seed, 'table'));
      assert.notDeepEqual(planOf(seed, 'table'), planOf(seed + 1, 'table'));
    }
  });

  it('is in order of time, within the bounds, and numbered as it goes', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const plan = planOf(seed, 'full');
      plan.forEach((action, i) => {
        assert.equal(action.id, i);
        assert.ok(action.atUs >= SETTINGS.faultsFromUs && action.atUs < SETTINGS.faultsUntilUs - 5 * SECOND_US, `seed ${seed}: ${action.atUs}`);
        assert.ok(i === 0 || action.atUs >= (plan[i - 1] as FaultAction).atUs);
      });
    }
  });

  it('lets members come and go all the time in profile members, now and then in full, never in table', () => {
    const of = (profile: FaultProfile): FaultAction[] => allPlans(profile).filter((action) => action.class === 'member');
    assert.deepEqual(of('table'), []);
    assert.ok(of('full').length > 0 && of('full').length < SEEDS);
    assert.ok(of('members').length > 6 * SEEDS);
    for (const kind of MEMBER_FAULTS) assert.ok(of('full').some((action) => action.kind === kind), kind);
  });

  it('leaves that of the same seed alone where there is one of hosts and operators besides, numbered after it', () => {
    const kinds = new Set<string>();
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World({ seed });
      const plan = planFaults(world, 'full', SETTINGS);
      const ops = planOps(world, SETTINGS, plan.length);
      const joined = planJoined(world, 'full', SETTINGS, plan.length + ops.length);
      assert.deepEqual(planFaults(world, 'full', SETTINGS), planOf(seed, 'full'));
      assert.deepEqual(planOps(world, SETTINGS, plan.length), ops);
      assert.deepEqual(joined.map(({ id }) => id), joined.map((_, i) => plan.length + ops.length + i));
      assert.deepEqual(ops.map(({ id }) => id), ops.map((_, i) => plan.length + i));
      for (const { atUs, kind } of ops) {
        kinds.add(kind);
        assert.ok(atUs >= SETTINGS.faultsFromUs && atUs < SETTINGS.faultsUntilUs - 5 * SECOND_US);
      }
    }
    assert.deepEqual([...kinds].sort(), [...OPS_FAULTS].sort());
  });

  it('damages logs in bouts that end in restarts, in a third of the seeds that recover logs from peers, behind all else', () => {
    let bouts = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const world = new World({ seed });
      const logs = planLogs(world, 'full', SETTINGS, 100);
      assert.deepEqual(wholePlan(world, 'full', SETTINGS).slice(-logs.length || Infinity).map(({ kind, atUs }) => [kind, atUs]), logs.map(({ kind, atUs }) => [kind, atUs]));
      assert.deepEqual(planLogs(world, 'table', SETTINGS, 100), []);
      if (logs.length === 0) continue;
      bouts++;
      assert.deepEqual(logs.map(({ id }) => id), logs.map((_, i) => 100 + i));
      for (const { atUs } of logs) assert.ok(atUs >= SETTINGS.faultsFromUs && atUs < SETTINGS.faultsUntilUs - 5 * SECOND_US);
      const strikes = logs.filter((action) => action.class === 'disk');
      assert.ok(strikes.length >= 2 && strikes.every(({ structure }) => structure?.startsWith('log-')));
      const restarts = logs.filter((action) => action.class === 'process');
      assert.ok(restarts.length >= 2 && strikes.length + restarts.length === logs.length);
      assert.ok((restarts.at(-1)?.atUs ?? 0) >= (strikes.at(-1)?.atUs ?? 0));
    }
    assert.ok(bouts > 60 && bouts < 140, String(bouts));
  });

  it('has more than 30 disk, 20 network and 5 process faults on average, and seeds without one of them', () => {
    const mean = (plan: readonly FaultAction[], of: FaultAction['class']): number => plan.filter((action) => action.class === of).length / SEEDS;
    const all = allPlans('table');
    assert.ok(mean(all, 'disk') > 36, String(mean(all, 'disk')));
    assert.ok(mean(all, 'network') > 24, String(mean(all, 'network')));
    assert.ok(mean(all, 'process') > 6, String(mean(all, 'process')));
    for (const of of ['disk', 'network', 'process'] as const) {
      const without = Array.from({ length: 60 }, (_, i) => planOf(i + 1, 'table')).filter((plan) => plan.every((action) => action.class !== of));
      assert.ok(without.length > 0, `no seed is without ${of} faults`);
    }
  });

  for (const profile of ['table', 'full'] as const) {
    it(`reaches every possible cell at least 20 times in ${SEEDS} seeds of profile ${profile}, and no other`, () => {
      const counts = new Map<string, number>();
      for (const { class: of, kind, structure } of allPlans(profile)) {
        const name = of === 'disk' ? `${kind} ${structure}` : kind;
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const cells = possibleCells(profile).map(({ kind, structure }) => `${kind} ${structure}`);
      const forgetting = profile === 'table' ? ['wipe', 'roll-back'] : [];
      const members = profile === 'table' ? [] : MEMBER_FAULTS;
      const others = [...NETWORK_FAULTS, ...PROCESS_FAULTS, ...members].filter((kind) => !forgetting.includes(kind));
      for (const name of [...cells, ...others]) assert.ok((counts.get(name) ?? 0) >= 20, `${name}: ${counts.get(name) ?? 0}`);
      const known = new Set<string>([...cells, ...others]);
      assert.deepEqual([...counts.keys()].filter((name) => !known.has(name)), []);
    });
  }
});

describe('the matrix of fault and structure', () => {
  it('has each cell either possible or impossible with a reason', () => {
    const impossible = new Set(IMPOSSIBLE.map(({ fault, structure }) => `${fault} ${structure}`));
    assert.equal(impossible.size, IMPOSSIBLE.length);
    for (const structure of STRUCTURES) {
      for (const kind of DISK_FAULTS) {
        assert.notEqual(isPossible({ structure, kind }, 'full'), impossible.has(`${kind} ${structure}`), `${kind} ${structure}`);
      }
    }
    for (const { why } of IMPOSSIBLE) assert.ok(why.length > 20);
  });

  it('withholds from profile table only what takes a whole file that a node cannot start without, or is of re-admitted ones', () => {
    const withheld = possibleCells('full').filter((cell) => !isPossible(cell, 'table'));
    assert.ok(withheld.every(isFullOnly));
    const others = withheld.filter(({ structure }) => structure !== 'joined-file');
    assert.deepEqual(others.map(({ kind, structure }) => `${kind} ${structure}`), [
      'missing hardstate-file', 'misnamed hardstate-file',
    ]);
  });
});
