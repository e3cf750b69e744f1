/** What the load process and its parent say to each other over the IPC channel. */

export type RequestKind = 'fill' | 'more' | 'put' | 'get' | 'sget' | 'range' | 'rangelim' | 'mixed' | 'cas' | 'delete';
/** Over streams that stay open: see `stream-load.ts`. */
export type StreamKind = 'watch' | 'keepalive';
export type BenchKind = RequestKind | StreamKind;

/** A closed loop of `clients` over all endpoints; everything read is verified. */
export interface BenchSpec {
  readonly kind: BenchKind;
  readonly endpoints: readonly string[];
  readonly sessionsPerEndpoint: number;
  readonly clients: number;
  /**
   * `fill` writes exactly the preloaded keys and `more` as many others; all others run for this
   * long after the warm-up.
   */
  readonly seconds: number;
  readonly warmupSeconds: number;
  /** Preloaded keys. */
  readonly keys: number;
  readonly valueBytes: number;
  readonly seed: number;
  /** Makes the keys of one run's new puts different from those of another. */
  readonly run: number;
}

export type RequestSpec = BenchSpec & { readonly kind: RequestKind };
export type StreamSpec = BenchSpec & { readonly kind: StreamKind };

export function isStreamed(spec: BenchSpec): spec is StreamSpec {
  return spec.kind === 'watch' || spec.kind === 'keepalive';
}

export interface BenchResult {
  readonly operations: number;
  readonly seconds: number;
  readonly opsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly errors: number;
  readonly wrong: number;
  readonly firstError: string;
  /** User and system time of the load process during the measured part. */
  readonly clientCpuSeconds: number;
  /** CLOCK_MONOTONIC, in ms: the measured part. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** Writers and readers whose every operation is written down, until told to stop. */
export interface HistorySpec {
  readonly endpoints: readonly string[];
  readonly writers: number;
  readonly readers: number;
  /** Keys that all writers share: these make the history worth checking. */
  readonly sharedKeys: number;
  /**
   * 0 to 1: how many writes go to shared keys; the others go to keys of their own, written once.
   */
  readonly sharedWrites: number;
  /** 0 to 1: how many writes to shared keys are compare-and-set. */
  readonly casShare: number;
  readonly valueBytes: number;
  readonly timeoutMs: number;
  readonly seed: number;
  /** First part of every key, so that several histories share a store. */
  readonly prefix: string;
  /** 0: as fast as it goes. */
  readonly operationsPerSecond: number;
}

export type Order =
  | { readonly type: 'bench'; readonly spec: BenchSpec }
  | { readonly type: 'history'; readonly spec: HistorySpec; readonly file: string }
  | { readonly type: 'stop-history' }
  | { readonly type: 'exit' };

export type Report =
  | { readonly type: 'ready' }
  | { readonly type: 'mark'; readonly what: 'measuring' | 'measured' }
  | { readonly type: 'bench'; readonly result: BenchResult }
  | { readonly type: 'progress'; readonly acknowledged: number; readonly errors: number }
  | { readonly type: 'history'; readonly operations: number }
  | { readonly type: 'failed'; readonly message: string };

/** Milliseconds of CLOCK_MONOTONIC: comparable between the processes of one machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
