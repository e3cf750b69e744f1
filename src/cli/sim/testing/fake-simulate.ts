/**
 * A simulator that does what its seed says, for tests of the shell around it. Seed modulo 100
 * decides: 1 crash, 2 liveness, 3 correctness, 4 rejects, 5 an unhandled rejection, 6 an uncaught
 * exception, 7 never ends, 8 loops for ever, 9 the process dies, 10 another trace each time, 11
 * fails only while actions 3 and 7 strike. All others pass.
 */

import type { FaultAction } from '../../../sim/model/fault.js';
import type { SimOptions, SimResult, ViolationKind } from '../../../sim/model/result.js';
import type { SimShell } from '../../../sim/run.js';

const PLAN: readonly FaultAction[] = Array.from({ length: 20 }, (_, id) => ({
  id, atUs: (id + 1) * 5_000_000, class: 'disk' as const, kind: 'bit-flip' as const,
}));

let traces = 0;

function violation(kind: ViolationKind, check: string, atUs = 12_345_678): SimResult['violations'] {
  return [{ kind, check, message: `told by seed`, atUs, node: 2 }];
}

function violationsOf(options: SimOptions): SimResult['violations'] {
  switch (options.seed % 100) {
    case 1: return violation('crash', 'no assertion breaks');
    case 2: return violation('liveness', 'comes to rest');
    case 3: return violation('correctness', 'linearizable');
    case 11: {
      const untilUs = options.faultsUntilUs ?? Infinity;
      const strikes = (id: number): boolean => (options.only?.includes(id) ?? true) && (PLAN[id] as FaultAction).atUs < untilUs;
      return strikes(3) && strikes(7) ? violation('correctness', 'linearizable', 600_000_000) : [];
    }
    default: return [];
  }
}

async function misbehave(seed: number): Promise<void> {
  switch (seed % 100) {
    case 4: throw new TypeError('the simulator is wrong');
    case 5:
      void Promise.reject(new RangeError('nobody awaits this'));
      await new Promise(() => undefined);
      break;
    case 6:
      setImmediate(() => {
        throw new RangeError('nobody catches this');
      });
      await new Promise(() => undefined);
      break;
    case 7: await new Promise(() => undefined); break;
    case 8: for (;;);
    case 9: process.exit(9); break;
    default: break;
  }
}

export async function simulate(options: SimOptions, shell: SimShell): Promise<SimResult> {
  let events = 0;
  await shell.pump(() => {
    shell.onRow?.({ atUs: events * 1234, node: events % 4, text: `event ${events}` });
    return ++events < 1000;
  });
  await misbehave(options.seed);
  const violations = violationsOf(options);
  const trace = options.seed % 100 === 10 ? ++traces : 0;
  return {
    seed: options.seed, profile: options.profile, passed: violations.length === 0, violations, nodes: 3, simSeconds: 600,
    operations: { acknowledged: 2000, unknown: 30, refused: 5 }, faults: { disk: 31, network: 20, process: 5, members: 0 }, plan: PLAN,
    events, digest: `${String(options.seed).padStart(8, '0')}${String(trace).padStart(8, '0')}`,
    coverage: { 'fault bit-flip log-record': options.profile === 'full' ? 2 : 0, 'event heal-applied': 1 }, fenced: [],
  };
}
