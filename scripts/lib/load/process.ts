/** The parent's side of the load process. */

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readHistory, type Recorded } from './history.js';
import type { BenchResult, BenchSpec, HistorySpec, Order, Report } from './protocol.js';

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Set<{ want: Report['type']; resolve: (r: Report) => void; reject: (e: Error) => void }>();
  #file = '';
  #gone = false;
  /** Of the history under way, a fraction of a second old. */
  acknowledged = 0;
  errors = 0;
  onMark: (what: 'measuring' | 'measured') => void = () => undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: Report) => this.#onReport(report));
    child.on('exit', (code) => {
      this.#gone = true;
      for (const { reject } of this.#waiting) reject(new Error(`the load process ended with code ${code}`));
    });
  }

  static async start(): Promise<LoadProcess> {
    const child = fork(WORKER, [], { execArgv: ['--import', 'tsx', '--max-semi-space-size=32'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const load = new LoadProcess(child);
    await load.#expect('ready');
    return load;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  #onReport(report: Report): void {
    if (report.type === 'progress') {
      this.acknowledged = report.acknowledged;
      this.errors = report.errors;
      return;
    }
    if (report.type === 'mark') {
      this.onMark(report.what);
      return;
    }
    for (const waiting of this.#waiting) {
      if (report.type === 'failed') waiting.reject(new Error(report.message));
      else if (waiting.want === report.type) waiting.resolve(report);
      else continue;
      this.#waiting.delete(waiting);
    }
  }

  #expect<T extends Report['type']>(want: T): Promise<Extract<Report, { type: T }>> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ want, resolve: (report) => resolve(report as Extract<Report, { type: T }>), reject });
    });
  }

  #send(order: Order): void {
    if (this.#gone) throw new Error('the load process is gone');
    this.#child.send(order);
  }

  async bench(spec: BenchSpec): Promise<BenchResult> {
    const done = this.#expect('bench');
    this.#send({ type: 'bench', spec });
    return (await done).result;
  }

  startHistory(spec: HistorySpec, file: string): void {
    this.#file = file;
    this.acknowledged = this.errors = 0;
    this.#send({ type: 'history', spec, file });
  }

  async stopHistory(): Promise<Recorded[]> {
    const done = this.#expect('history');
    this.#send({ type: 'stop-history' });
    await done;
    return readHistory(this.#file);
  }

  /** Resolves when this many more operations were acknowledged; false if that took too long. */
  async waitForAcknowledged(more: number, timeoutMs: number): Promise<boolean> {
    const target = this.acknowledged + more;
    const deadline = Date.now() + timeoutMs;
    while (this.acknowledged < target) {
      if (Date.now() > deadline || this.#gone) return false;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return true;
  }

  async stop(): Promise<void> {
    if (this.#gone) return;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
