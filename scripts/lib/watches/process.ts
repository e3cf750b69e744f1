/** The parent's side of the process of writers and watchers. */

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Failure, onExit } from '../command.js';

export interface DrillSpec {
  readonly urls: readonly string[];
  readonly seed: number;
  readonly writers: number;
  /** Transactions. */
  readonly perSecond: number;
}

/** Waits until everybody has heard all, so long. */
export interface DrillOrder {
  readonly patienceMs: number;
}

export interface DrillEnd {
  readonly type: 'finished';
  /** Revision. */
  readonly last: number;
  readonly counts: readonly (readonly [string, string | number])[];
}

export interface DrillState {
  readonly type: 'state';
  readonly told: string;
  /** Every watcher of the beginning has been let in. */
  readonly begun: boolean;
  readonly faults: readonly string[];
}

export type DrillReport = DrillState | DrillEnd;

const WORKER = fileURLToPath(new URL('./worker.ts', import.meta.url));

export class WatchDrillProcess {
  readonly #child: ChildProcess;
  readonly #end: Promise<DrillEnd>;
  #begun = false;
  /** A fraction of a second old. */
  told = 'nothing told yet';
  faults: readonly string[] = [];

  constructor(spec: DrillSpec) {
    const child = (this.#child = fork(WORKER, [JSON.stringify(spec)], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    this.#end = new Promise((resolve, reject) => {
      child.on('message', (report: DrillReport) => {
        if (report.type === 'finished') return resolve(report);
        this.told = report.told;
        this.#begun = report.begun;
        this.faults = report.faults;
      });
      child.on('exit', (code) => {
        const failure = new Failure(`the process of the watchers ended with code ${code}`);
        this.faults = [...this.faults, failure.message];
        reject(failure);
      });
    });
    this.#end.catch(() => undefined);
    onExit(() => void child.kill('SIGKILL'));
  }

  /** A watcher that could not begin at all has nothing that it could go on with. */
  async begin(patienceMs: number): Promise<void> {
    for (const deadline = Date.now() + patienceMs; !this.#begun && this.faults.length === 0;) {
      if (Date.now() > deadline) throw new Failure(`not every watcher has begun within ${patienceMs} ms: ${this.told}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  finish(patienceMs: number): Promise<DrillEnd> {
    this.#child.send({ patienceMs });
    return this.#end;
  }
}
