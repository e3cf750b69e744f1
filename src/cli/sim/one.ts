/** One seed, in this process, so that a debugger and a tape can look on. */

import { closeSync, openSync, writeFileSync } from 'node:fs';
import { runSettings } from '../../sim/model/settings.js';
import { World } from '../../sim/world/world.js';
import type { SimOptions, ViolationKind } from '../../sim/model/result.js';
import { messageOf } from '../../base/errors.js';
import type { Io } from '../ctl/context.js';
import { compared } from './batch.js';
import type { SimHost } from './host.js';
import { UsageFault } from './options.js';
import { replayCommand } from './replay.js';
import { isBroken, runSeed, type SeedRun } from './run-seed.js';
import { runTable } from './summary.js';
import { Tape } from './tape.js';

export interface OneTools {
  readonly io: Io;
  readonly host: SimHost;
  readonly json: boolean;
  readonly limitMs: number;
  readonly twice: boolean;
  /** True: to standard output. A text: to this file. */
  readonly tape: string | true | undefined;
}

/** As VOPR has them. */
export const EXIT_CODES: Readonly<Record<ViolationKind, number>> = { crash: 127, liveness: 128, correctness: 129 };

/** The first violation is the cause as far as anybody can tell. */
export function exitCodeOf(run: SeedRun): number {
  const first = run.result.violations[0];
  if (run.result.passed) return 0;
  return first === undefined ? 1 : EXIT_CODES[first.kind];
}

interface OpenTape {
  readonly tape: Tape;
  /** Why the tape is not complete; undefined: it is. */
  readonly close: () => string | undefined;
}

function openTape(tools: OneTools, seed: number): OpenTape | undefined {
  if (tools.tape === undefined) return undefined;
  const { nodes } = runSettings(new World({ seed }));
  if (tools.tape === true) {
    const tape = new Tape(nodes, (text) => tools.io.out(text));
    return {
      tape,
      close: () => {
        tape.flush();
        return undefined;
      },
    };
  }
  let fd: number;
  try {
    fd = openSync(tools.tape, 'w');
  } catch (error) {
    throw new UsageFault(`--tape: ${messageOf(error)}`);
  }
  let failure: string | undefined;
  const attempt = (work: () => void): void => {
    if (failure !== undefined) return;
    try {
      work();
    } catch (error) {
      // A full disk of the host is no fault of the store's: the run goes on, and the end says what
      // became of the tape.
      failure = messageOf(error);
    }
  };
  const tape = new Tape(nodes, (text) => attempt(() => writeFileSync(fd, text)));
  return {
    tape,
    close: () => {
      tape.flush();
      attempt(() => closeSync(fd));
      return failure;
    },
  };
}

/**
 * A run without any fault, because none has that number, would pass for a run that was asked for.
 */
function refuseUnknown({ only, seed }: SimOptions, { result }: SeedRun): void {
  if (only === undefined || result.plan.length === 0) return;
  const unknown = only.filter((id) => !result.plan.some((action) => action.id === id));
  if (unknown.length > 0) throw new UsageFault(`--only ${unknown.join(',')}: the plan of seed ${seed} has faults ${result.plan[0]?.id} to ${result.plan.at(-1)?.id}`);
}

export async function runOne(tools: OneTools, options: SimOptions): Promise<number> {
  const { io, host, limitMs } = tools;
  const open = openTape(tools, options.seed);
  const seedTools = { simulate: host.simulate, limitMs };
  let run: SeedRun;
  let incomplete: string | undefined;
  try {
    run = await runSeed(options, open === undefined ? seedTools : { ...seedTools, onRow: (row) => open.tape.row(row) });
  } finally {
    incomplete = open?.close();
  }
  refuseUnknown(options, run);
  if (incomplete !== undefined) io.err(`kintsugi sim: the tape ${String(tools.tape)} is not complete: ${incomplete}\n`);
  // What is left of a broken run could disturb another one in this process.
  const again = tools.twice && !isBroken(run) ? await runSeed(options, seedTools) : undefined;
  const final = again === undefined ? run : compared(run, again);
  if (tools.json) {
    io.out(`${JSON.stringify({ ...final.result, wallSeconds: Number((final.wallMs / 1000).toFixed(3)) })}\n`);
    return exitCodeOf(final);
  }
  io.out(runTable(final));
  if (again !== undefined) io.out(`run again: trace ${again.result.digest || '-'}, ${again.result.digest === run.result.digest ? 'the same' : 'NOT the same'}\n`);
  if (typeof tools.tape === 'string') io.out(`tape: ${tools.tape}, ${open?.tape.rows ?? 0} rows\n`);
  if (!final.result.passed) {
    io.out(`\nTell it again:  ${replayCommand(options, '--tape')}\nMake it small:  ${replayCommand(options, '--shrink')}\n`);
  }
  return exitCodeOf(final);
}
