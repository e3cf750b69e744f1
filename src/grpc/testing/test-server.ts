/** A GrpcServer with what a test needs to look at. */

import { AssertionError } from '../../base/assert.js';
import type { Clock } from '../../base/env.js';
import { messageOf } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { Code } from '../code.js';
import type { CallGuard, Encoding, ErrorMapper, Inflater, CallStats, StatsOf } from '../hooks.js';
import type { GrpcLimits } from '../limits.js';
import type { ServerCall, Method } from '../method.js';
import { GrpcServer } from '../server.js';
import { RpcError, type RpcStatus } from '../status.js';
import { deflateInflater } from './node-inflater.js';

export class TestStats implements StatsOf {
  readonly methods = new Map<string, CallStats & { readonly codes: number[]; readonly durations: number[] }>();

  of(path: string): CallStats {
    const codes: number[] = [];
    const durations: number[] = [];
    const stats = {
      started: 0,
      receivedBytes: 0,
      sentBytes: 0,
      codes,
      durations,
      end: (code: number, durationMs: number) => {
        codes.push(code);
        durations.push(durationMs);
      },
    };
    this.methods.set(path, stats);
    return stats;
  }

  codes(path: string): readonly number[] {
    return this.methods.get(path)?.codes ?? [];
  }

  get started(): number {
    return [...this.methods.values()].reduce((sum, { started }) => sum + started, 0);
  }

  get ended(): number {
    return [...this.methods.values()].reduce((sum, { codes }) => sum + codes.length, 0);
  }
}

/** Refuses calls with the metadata `refuse: yes`. */
export class TestGuard implements CallGuard {
  readonly crowded: RpcStatus = { code: Code.RESOURCE_EXHAUSTED, details: 'crowded' };

  refuse(call: ServerCall): RpcStatus | undefined {
    return call.metadata('refuse') === 'yes' ? { code: Code.UNAVAILABLE, details: 'refused' } : undefined;
  }
}

/** Every error that it was asked for. */
export class TestErrors implements ErrorMapper {
  readonly seen: unknown[] = [];

  statusOf(error: unknown): RpcStatus {
    this.seen.push(error);
    if (error instanceof AssertionError) return { code: Code.UNAVAILABLE, details: error.message };
    return error instanceof RpcError ? error : { code: Code.UNKNOWN, details: messageOf(error) };
  }
}

/** Decided by the test. */
export class HeldInflater implements Inflater {
  readonly pending: { readonly encoding: Encoding; settle(whole: Uint8Array | undefined): void }[] = [];

  inflate(encoding: Encoding): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      this.pending.push({ encoding, settle: resolve });
    });
  }
}

export const TEST_LIMITS: GrpcLimits = {
  maxReceiveBytes: 4 * 1024 * 1024, maxUnfinishedBytes: 64 * 1024 * 1024, receiveMs: 60_000,
  maxUnreadBytes: 3 * 1024 * 1024, maxUnreadOfConnection: 2 * 1024 * 1024,
};

export interface TestOptions {
  readonly limits?: Partial<GrpcLimits>;
  readonly inflater?: Inflater;
  readonly clock?: Clock;
}

export class TestServer {
  readonly manual = new ManualClock();
  readonly stats = new TestStats();
  readonly errors = new TestErrors();
  readonly grpc: GrpcServer;

  constructor(methods: Readonly<Record<string, Method>>, options: TestOptions = {}) {
    this.grpc = new GrpcServer({
      methods: new Map(Object.entries(methods)),
      guard: new TestGuard(),
      stats: this.stats,
      errors: this.errors,
      inflater: options.inflater ?? deflateInflater,
      limits: { ...TEST_LIMITS, ...options.limits },
      clock: options.clock ?? this.manual,
    });
  }
}

/** Lets things happen until it is so; fails if that takes too many turns of the event loop. */
export async function until(isSo: () => boolean, what: string, afterTurn: () => void = () => undefined): Promise<void> {
  for (let turn = 0; !isSo(); turn++) {
    if (turn > 100_000) throw new Error(`it never happened: ${what}`);
    await settled();
    afterTurn();
  }
}

/** Lets everything that is ready happen. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
