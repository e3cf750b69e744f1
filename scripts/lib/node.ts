/**
 * One node as a real process: started from a binary, watched from outside only (gRPC, ops HTTP,
 * /proc, files).
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from './command.js';
import type { Binary } from './binary.js';
import { Endpoint, METHODS } from './load/grpc.js';
import { EMPTY_REQUEST, rangeRequest, statusReply, type StatusReply } from './load/wire.js';
import { isAlive, usageOf, type Usage } from './proc.js';
import type { NodeStatus } from './status.js';

export interface NodeSpec {
  readonly name: string;
  readonly binary: Binary;
  readonly dataDir: string;
  readonly logFile: string;
  readonly clientUrl: string;
  /** Where it listens. */
  readonly peerUrl: string;
  /** Where the others find it: a proxy, or the same. */
  readonly advertisedPeerUrl: string;
  readonly metricsUrl: string;
  readonly initialCluster: string;
  readonly token: string;
  /** It was added to a cluster that runs. */
  readonly existing?: boolean;
  readonly extraArgs: readonly string[];
}

export class ClusterNode {
  readonly spec: NodeSpec;
  readonly endpoint: Endpoint;
  #binary: Binary;
  #child: ChildProcess | undefined;
  #pid: number | undefined;

  /** `pid` is given for a process that an earlier command started. */
  constructor(spec: NodeSpec, pid?: number) {
    this.spec = spec;
    this.#binary = spec.binary;
    this.endpoint = new Endpoint(spec.clientUrl);
    this.#pid = pid;
  }

  get name(): string {
    return this.spec.name;
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  get running(): boolean {
    return this.#pid !== undefined && isAlive(this.#pid);
  }

  get tablesDir(): string {
    return join(this.spec.dataDir, 'tables');
  }

  #args(binary: Binary): string[] {
    const s = this.spec;
    const flags = [
      ['name', s.name], ['data-dir', s.dataDir], ['listen-client-urls', s.clientUrl], ['advertise-client-urls', s.clientUrl],
      ['listen-peer-urls', s.peerUrl], ['initial-advertise-peer-urls', s.advertisedPeerUrl], ['listen-metrics-urls', s.metricsUrl],
      ['initial-cluster', s.initialCluster], ['initial-cluster-token', s.token], ['initial-cluster-state', s.existing === true ? 'existing' : 'new'],
      ['logger', 'zap'], ['log-outputs', 'stderr'],
    ];
    return [...binary.args, ...flags.map(([name, value]) => `--${name}=${value}`), ...s.extraArgs];
  }

  /**
   * Starts the process; a group of its own, so that Ctrl-C in the terminal reaches it only through
   * us. `binary`: another build than the last, from now on.
   */
  start(binary = this.#binary): void {
    if (this.running) throw new Error(`${this.name} is running already`);
    mkdirSync(join(this.spec.dataDir, '..'), { recursive: true });
    const log = openSync(this.spec.logFile, 'a');
    this.#binary = binary;
    const child = spawn(binary.command, this.#args(binary), { stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    child.unref();
    this.#child = child;
    this.#pid = child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#pid !== undefined && this.running) process.kill(this.#pid, signal);
  }

  /** Of a process that this command started and that has ended; null: it was killed, or runs. */
  get exitCode(): number | null {
    return this.#child?.exitCode ?? null;
  }

  /** Sends `signal` and waits until the process is gone; after `patienceMs` it is killed. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patienceMs = 10_000): Promise<void> {
    const pid = this.#pid;
    if (pid === undefined) return;
    this.signal(signal);
    const deadline = Date.now() + patienceMs;
    for (let killed = false; isAlive(pid); ) {
      if (!killed && Date.now() > deadline) {
        process.kill(pid, 'SIGCONT');
        process.kill(pid, 'SIGKILL');
        killed = true;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await reaped(this.#child);
    this.#pid = undefined;
  }

  usage(): Usage {
    return usageOf(this.#pid);
  }

  /** Maintenance.Status. */
  async grpcStatus(timeoutMs = 1000): Promise<StatusReply> {
    return statusReply(await this.endpoint.unary(METHODS.status, EMPTY_REQUEST, timeoutMs));
  }

  /** The ops page of a Kintsugi node. */
  async status(): Promise<NodeStatus> {
    const answer = await fetch(`${this.spec.metricsUrl}/status`, { signal: AbortSignal.timeout(2000) });
    if (!answer.ok) throw new Error(`${this.name} /status: HTTP ${answer.status}`);
    return (await answer.json()) as NodeStatus;
  }

  /** Waits until this node answers a read; says how long that took, in ms. */
  async waitReady(timeoutMs: number, serializable = false): Promise<number> {
    const began = Date.now();
    let last = 'not asked yet';
    while (Date.now() - began < timeoutMs) {
      if (!this.running) throw new Failure(`${this.name} ended at start:\n${this.logTail()}`);
      try {
        await this.endpoint.unary(METHODS.range, rangeRequest({ key: Buffer.from('health'), serializable }), 1000);
        return Date.now() - began;
      } catch (error) {
        last = String(error);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    throw new Failure(`${this.name} does not answer after ${timeoutMs} ms (${last}):\n${this.logTail()}`);
  }

  logTail(lines = 12): string {
    if (!existsSync(this.spec.logFile)) return '(no log)';
    return readFileSync(this.spec.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** Table files on the disk, by name. */
  tableFiles(): string[] {
    if (!existsSync(this.tablesDir)) return [];
    return readdirSync(this.tablesDir).filter((name) => name.endsWith('.sst')).sort();
  }

  diskBytes(dir = this.spec.dataDir): number {
    if (!existsSync(dir)) return 0;
    let total = 0;
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      total += entry.isDirectory() ? this.diskBytes(path) : statSync(path).size;
    }
    return total;
  }
}

/**
 * Waits until Node has collected the exit code: else the process stays a zombie if we end first.
 */
async function reaped(child: ChildProcess | undefined): Promise<void> {
  for (let i = 0; child !== undefined && child.exitCode === null && child.signalCode === null && i < 200; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
