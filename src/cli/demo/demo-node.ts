/**
 * One child process of the demo: `kintsugi start` on loopback, its log in a file, watched through
 * its `/status`.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NodeStatus } from '../../node/store.js';

export interface DemoNodeSpec {
  readonly name: string;
  readonly dir: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly opsPort: number;
  readonly initialCluster: string;
}

/** Small tables, so that there is something to rot and heal after a few megabytes. */
const SMALL = ['--experimental-memtable-bytes=1048576', '--experimental-table-bytes=1048576'];

const MAIN = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url));

export class DemoNode {
  readonly spec: DemoNodeSpec;
  #child: ChildProcess | undefined;
  #exit: Promise<void> = Promise.resolve();
  /** The last answer of `/status`; undefined: it does not answer. */
  status: NodeStatus | undefined;

  constructor(spec: DemoNodeSpec) {
    this.spec = spec;
  }

  get name(): string {
    return this.spec.name;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.spec.clientPort}`;
  }

  get opsUrl(): string {
    return `http://127.0.0.1:${this.spec.opsPort}`;
  }

  get dataDir(): string {
    return join(this.spec.dir, this.name);
  }

  get logFile(): string {
    return join(this.spec.dir, `${this.name}.log`);
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  flags(): string[] {
    const { name, clientPort, peerPort, opsPort, initialCluster } = this.spec;
    const [client, peer, ops] = [clientPort, peerPort, opsPort].map((port) => `http://127.0.0.1:${port}`);
    return [
      `--name=${name}`, `--data-dir=${this.dataDir}`, `--listen-client-urls=${client}`, `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`, `--listen-metrics-urls=${ops}`,
      `--initial-cluster=${initialCluster}`, '--initial-cluster-state=new', '--initial-cluster-token=kintsugi-demo',
      '--log-outputs=stderr', ...SMALL,
    ];
  }

  /** In a group of its own: Ctrl-C reaches it only through us. */
  start(): void {
    if (this.#child !== undefined) return;
    const log = openSync(this.logFile, 'a');
    const child = spawn(process.execPath, [...process.execArgv, MAIN, 'start', ...this.flags()], { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      const gone = (): void => {
        if (this.#child === child) this.#child = undefined;
        this.status = undefined;
        resolve();
      };
      child.once('exit', gone);
      child.once('error', gone);
    });
  }

  /** Resolves when the process is gone; after ten seconds it is killed. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await this.#exit;
    clearTimeout(timer);
  }

  /** At the very end, when nothing may be awaited. */
  killNow(): void {
    this.#child?.kill('SIGKILL');
  }

  async refresh(): Promise<void> {
    if (this.#child === undefined) {
      this.status = undefined;
      return;
    }
    try {
      const answer = await fetch(`${this.opsUrl}/status`, { signal: AbortSignal.timeout(1000) });
      this.status = answer.ok ? ((await answer.json()) as NodeStatus) : undefined;
    } catch {
      this.status = undefined;
    }
  }

  logTail(): string {
    try {
      return readFileSync(this.logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
    } catch {
      return '(no log)';
    }
  }
}
