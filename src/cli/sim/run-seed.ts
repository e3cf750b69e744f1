/**
 * One seed in this process. Always ends in a result: a rejection that nobody awaits and an
 * exception that nobody catches are bugs of the store (a real node would have died of them), so
 * they are the seed's failure, as is a run without end.
 */

import type { SimOptions, SimResult, Violation } from '../../sim/model/result.js';
import type { TapeRow } from '../../sim/world/trace.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Simulate } from './host.js';
import { nodePump } from './pump.js';

export interface SeedRun {
  readonly options: SimOptions;
  readonly result: SimResult;
  readonly wallMs: number;
  /**
   * Of the process, all its threads; 0 where it is not known. Unlike wall-clock time it says the
   * same on a busy machine.
   */
  readonly cpuMs: number;
}

export interface SeedTools {
  readonly simulate: Simulate;
  /** Of wall-clock time; 0: none. */
  readonly limitMs: number;
  readonly onRow?: (row: TapeRow) => void;
}

/** Checks that this shell does; all others are the simulator's. */
export const BROKEN = {
  rejection: 'unhandled rejection',
  exception: 'uncaught exception',
  simulator: 'the simulator itself',
  limit: 'wall-clock limit',
  death: 'the process of the run',
  twice: 'same seed, same trace',
} as const;

/** The result of a run that has none of its own. */
export function brokenResult(options: SimOptions, check: string, message: string): SimResult {
  const violation: Violation = { kind: 'crash', check, message, atUs: 0, node: 0 };
  return {
    seed: options.seed, profile: options.profile, passed: false, violations: [violation], nodes: 0, simSeconds: 0,
    operations: { acknowledged: 0, unknown: 0, refused: 0 }, faults: { disk: 0, network: 0, process: 0, members: 0 },
    plan: [], events: 0, digest: '', coverage: {}, fenced: [],
  };
}

/** The stack tells a person where; it is no part of the trace. */
function told(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return messageOf(error);
  return error.stack.split('\n').slice(0, 6).map((line) => line.trim()).join(' ');
}

/** The same words for the same bug. */
function checkOf(what: string, error: unknown): string {
  const name = error instanceof Error ? error.name : typeof error;
  return [what, name, codeOf(error)].filter((part) => part !== undefined).join(' ');
}

const turnOfEventLoop = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/**
 * After a broken run what is left of it may still be about: a process that runs more seeds should
 * be a fresh one.
 */
export async function runSeed(options: SimOptions, tools: SeedTools): Promise<SeedRun> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  const { pump, stop } = nodePump();
  let broken: SimResult | undefined;
  let wake = (): void => undefined;
  const breaks = new Promise<void>((resolve) => (wake = resolve));
  const fail = (check: string, message: string): void => {
    broken ??= brokenResult(options, check, message);
    wake();
  };
  // A simulator that listens by itself knows better what a rejection means; it is the only one that
  // is told.
  let hears = true;
  const onRejection = (error: unknown): void => {
    if (hears) fail(checkOf(BROKEN.rejection, error), told(error));
  };
  const onException = (error: unknown): void => fail(checkOf(BROKEN.exception, error), told(error));
  const onUnhandled = (listener: (reason: unknown) => void): (() => void) => {
    hears = false;
    process.on('unhandledRejection', listener);
    return () => {
      process.off('unhandledRejection', listener);
      hears = true;
    };
  };
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  // Also keeps the process alive: a run that awaits what never comes must end at the limit, not in
  // silence.
  const limitMs = tools.limitMs === 0 ? 0x7fff_ffff : tools.limitMs;
  const timer = setTimeout(() => fail(BROKEN.limit, `no end after ${limitMs / 1000} s of wall-clock time`), limitMs);
  let result: SimResult | undefined;
  try {
    const shell = { pump, onUnhandled };
    const run = tools.simulate(options, tools.onRow === undefined ? shell : { ...shell, onRow: tools.onRow }).then(
      (done) => void (result = done),
      (error: unknown) => fail(checkOf(BROKEN.simulator, error), told(error)),
    );
    await Promise.race([run, breaks]);
    await turnOfEventLoop();
  } finally {
    stop();
    clearTimeout(timer);
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  }
  const { user, system } = process.cpuUsage(cpu);
  return {
    options, result: broken ?? result ?? brokenResult(options, BROKEN.simulator, 'ended without a result'),
    wallMs: performance.now() - began, cpuMs: (user + system) / 1000,
  };
}

/** What only this shell can have said of a run: its process cannot be trusted with another one. */
export function isBroken(run: SeedRun): boolean {
  return run.result.events === 0 && run.result.digest === '';
}
