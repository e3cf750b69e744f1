/**
 * Counts every RPC in plain numbers, so that a call costs a few additions, and turns them into
 * Prometheus' usual gRPC metrics only when somebody scrapes. Methods are those of the server's
 * table: the label sets are bounded.
 */

import type { CallStats, StatsOf } from '../grpc/hooks.js';

/** Upper bounds in seconds, those of the usual gRPC histograms. */
const BUCKETS: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const CODES: readonly string[] = [
  'OK', 'Canceled', 'Unknown', 'InvalidArgument', 'DeadlineExceeded', 'NotFound', 'AlreadyExists', 'PermissionDenied',
  'ResourceExhausted', 'FailedPrecondition', 'Aborted', 'OutOfRange', 'Unimplemented', 'Internal', 'Unavailable',
  'DataLoss', 'Unauthenticated',
];

export class MethodStats implements CallStats {
  readonly service: string;
  readonly method: string;
  readonly type: string;
  started = 0;
  receivedBytes = 0;
  sentBytes = 0;
  readonly handled = new Float64Array(CODES.length);
  readonly buckets = new Float64Array(BUCKETS.length + 1);
  seconds = 0;

  constructor(path: string, type: string) {
    const [, service = '', method = ''] = path.split('/');
    this.service = service;
    this.method = method;
    this.type = type;
  }

  end(code: number, durationMs: number): void {
    const seconds = durationMs / 1000;
    const at = code < CODES.length ? code : 2;
    this.handled[at] = (this.handled[at] as number) + 1;
    this.seconds += seconds;
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] as number)) bucket++;
    this.buckets[bucket] = (this.buckets[bucket] as number) + 1;
  }

  get labels(): Record<string, string> {
    return { grpc_type: this.type, grpc_service: this.service, grpc_method: this.method };
  }
}

export interface Sample {
  readonly metricName?: string;
  readonly labels: Record<string, string | number>;
  readonly value: number;
}

export class RpcStats implements StatsOf {
  readonly #methods = new Map<string, MethodStats>();

  /** The counters of one method; kept for ever, so only for methods that exist. */
  of(path: string, type: string): MethodStats {
    let stats = this.#methods.get(path);
    if (stats === undefined) {
      stats = new MethodStats(path, type);
      this.#methods.set(path, stats);
    }
    return stats;
  }

  /** Over all methods. */
  bytes(way: 'receivedBytes' | 'sentBytes'): Sample[] {
    let value = 0;
    for (const method of this.#methods.values()) value += method[way];
    return [{ labels: {}, value }];
  }

  started(): Sample[] {
    return [...this.#methods.values()].map((m) => ({ labels: m.labels, value: m.started }));
  }

  handled(): Sample[] {
    const out: Sample[] = [];
    for (const m of this.#methods.values()) {
      m.handled.forEach((value, code) => {
        if (value > 0) out.push({ labels: { ...m.labels, grpc_code: CODES[code] as string }, value });
      });
    }
    return out;
  }

  handlingSeconds(name: string): Sample[] {
    const out: Sample[] = [];
    for (const m of this.#methods.values()) {
      let below = 0;
      m.buckets.forEach((value, i) => {
        below += value;
        const le = BUCKETS[i] ?? '+Inf';
        out.push({ metricName: `${name}_bucket`, labels: { ...m.labels, le }, value: below });
      });
      out.push({ metricName: `${name}_sum`, labels: m.labels, value: m.seconds });
      out.push({ metricName: `${name}_count`, labels: m.labels, value: below });
    }
    return out;
  }
}
