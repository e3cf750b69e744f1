/**
 * `kintsugi demo`: three members on this machine, a gentle workload, and keys to hurt them. Each
 * action prints the command that does the same to a real cluster. Whatever ends it, no child
 * process is left behind.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { messageOf } from '../../base/errors.js';
import { connect, ClientError, type Client } from '../../client/client.js';
import { freePorts } from '../../server/free-ports.js';
import type { Io } from '../ctl/context.js';
import { processIo } from '../ctl/process-io.js';
import { DemoNode } from './demo-node.js';
import { flipBits } from './flip-bits.js';
import { Screen } from './screen.js';
import { Workload } from './workload.js';

const NAMES = ['n1', 'n2', 'n3'] as const;
const START_TIMEOUT_MS = 30_000;
/** Keys pressed ahead. */
const MAX_WAITING = 8;

async function makeNodes(dir: string): Promise<DemoNode[]> {
  const ports = await freePorts(3 * NAMES.length);
  const port = (i: number, which: number): number => ports[3 * i + which] as number;
  const initialCluster = NAMES.map((name, i) => `${name}=http://127.0.0.1:${port(i, 1)}`).join(',');
  return NAMES.map((name, i) => {
    const [clientPort, peerPort, opsPort] = [port(i, 0), port(i, 1), port(i, 2)];
    return new DemoNode({ name, dir, clientPort, peerPort, opsPort, initialCluster });
  });
}

class Demo {
  readonly #io: Io;
  readonly #nodes: readonly DemoNode[];
  readonly #client: Client;
  readonly #work: Workload;
  readonly #screen: Screen;
  #killed: DemoNode | undefined;
  /** One after the other. */
  #actions: Promise<void> = Promise.resolve();
  #waiting = 0;
  #quit: (() => void) | undefined;

  constructor(io: Io, nodes: readonly DemoNode[]) {
    this.#io = io;
    this.#nodes = nodes;
    this.#client = connect({ endpoints: nodes.map((node) => node.endpoint) });
    this.#work = new Workload(this.#client);
    this.#screen = new Screen(io, nodes, this.#work);
  }

  get wrong(): number {
    return this.#work.wrong;
  }

  get #endpoints(): string {
    return this.#nodes.map((node) => node.endpoint).join(',');
  }

  async start(): Promise<void> {
    for (const node of this.#nodes) node.start();
    const began = Date.now();
    for (;;) {
      const dead = this.#nodes.find((node) => !node.running);
      if (dead !== undefined) throw new Error(`${dead.name} ended at its start:\n${dead.logTail()}`);
      try {
        await Promise.all(this.#nodes.map((node) => this.#client.get('demo/0', { endpoint: node.endpoint, timeoutMs: 1000 })));
        break;
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (Date.now() - began > START_TIMEOUT_MS) throw new Error(`no answer after ${START_TIMEOUT_MS / 1000} s: ${error.message}\n${this.#nodes[0]?.logTail()}`);
        await new Promise((done) => setTimeout(done, 100));
      }
    }
    this.#io.out(`three members serve after ${Date.now() - began} ms\n    $ kintsugi ctl --endpoints=${this.#endpoints} status\n`);
    await this.#work.load((share) => {
      if (this.#io.tty) this.#io.out(`\r\u001b[Kloading ${Math.round(100 * share)} %`);
    });
    if (this.#io.tty) this.#io.out('\r\u001b[K');
    this.#work.start();
  }

  /** Until `q`, a signal, or `seconds` are over (0: never). */
  async run(seconds: number): Promise<void> {
    const ended = new Promise<void>((done) => (this.#quit = done));
    const until = seconds > 0 ? setTimeout(() => this.#quit?.(), seconds * 1000) : undefined;
    const stop = (): void => this.#quit?.();
    process.on('SIGINT', stop).on('SIGTERM', stop);
    await Promise.all(this.#nodes.map((node) => node.refresh()));
    this.#listenToKeys();
    const refresh = setInterval(() => void Promise.all(this.#nodes.map((node) => node.refresh())).then(() => this.#screen.draw()), 1000);
    await ended;
    clearInterval(refresh);
    clearTimeout(until);
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }

  async close(): Promise<void> {
    this.#work.stop();
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    process.stdin.pause();
    this.#client.close();
    await Promise.all(this.#nodes.map((node) => node.stop('SIGTERM')));
  }

  #listenToKeys(): void {
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    else if (this.#io.tty) return;
    process.stdin.on('data', (keys: Buffer) => {
      for (const key of keys.toString()) this.#key(key);
    });
  }

  #key(key: string): void {
    if (key === 'q' || key === '\u0003') return this.#quit?.();
    const actions: Readonly<Record<string, () => Promise<void>>> = {
      f: () => this.#flip(), s: () => this.#scrub(), k: () => this.#kill(), r: () => this.#restart(),
    };
    const action = actions[key];
    if (action === undefined || this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    this.#actions = this.#actions
      .then(action)
      .catch((error: unknown) => this.#screen.note(`it failed: ${messageOf(error)}`))
      .finally(() => this.#waiting--);
  }

  async #flip(): Promise<void> {
    const follower = this.#nodes.find((node) => node.status?.role === 'follower');
    if (follower === undefined) return this.#screen.note('no follower is up');
    const flipped = await flipBits(follower.dataDir);
    if (flipped === undefined) return this.#screen.note(`${follower.name} has no table yet`);
    this.#screen.note(`flipped one bit at ${flipped.offsets.join(' ')} of ${flipped.file}; press s to find them, or wait for a read`,
      `kintsugi inspect table ${flipped.file}`);
  }

  async #scrub(): Promise<void> {
    this.#screen.note('scrub of all members', `kintsugi ctl --endpoints=${this.#endpoints} scrub --cluster`);
    const up = this.#nodes.filter((node) => node.running);
    const faults = await Promise.all(up.map(async (node) => {
      let found = 0;
      for await (const progress of this.#client.heal.scrub({ endpoint: node.endpoint })) found = progress.faults;
      return `${node.name} ${found}`;
    }));
    this.#screen.note(`scrub done, faults: ${faults.join(', ')}`);
  }

  async #kill(): Promise<void> {
    const leader = this.#nodes.find((node) => node.status?.role === 'leader');
    if (leader === undefined) return this.#screen.note('no leader is up');
    if (this.#killed !== undefined) return this.#screen.note(`${this.#killed.name} is down already: press r first`);
    this.#killed = leader;
    this.#work.longestGapMs = 0;
    this.#screen.note(`killed ${leader.name}, the leader`, `kill -9 ${leader.pid}`);
    await leader.stop('SIGKILL');
  }

  #restart(): Promise<void> {
    const node = this.#killed;
    this.#killed = undefined;
    if (node === undefined) this.#screen.note('nobody was killed');
    else {
      node.start();
      this.#screen.note(`restarted ${node.name}`, `kintsugi start ${node.flags().join(' ')}`);
    }
    return Promise.resolve();
  }
}

interface Flags {
  readonly dataDir?: string;
  readonly seconds: string;
}

async function runDemo(io: Io, flags: Flags): Promise<number> {
  const seconds = Number(flags.seconds);
  if (!(seconds >= 0)) {
    io.err(`Error: --seconds is a number from 0, got ${JSON.stringify(flags.seconds)}\n`);
    return 2;
  }
  const dir = flags.dataDir === undefined ? mkdtempSync(join(tmpdir(), 'kintsugi-demo-')) : resolve(flags.dataDir);
  mkdirSync(dir, { recursive: true });
  const nodes = await makeNodes(dir);
  const killAll = (): void => {
    for (const node of nodes) node.killNow();
  };
  process.on('exit', killAll);
  const demo = new Demo(io, nodes);
  try {
    io.out(`data and logs: ${dir}${flags.dataDir === undefined ? ' (removed at the end)' : ''}\n`);
    await demo.start();
    await demo.run(seconds);
  } catch (error) {
    io.err(`Error: ${messageOf(error)}\n`);
    return 1;
  } finally {
    await demo.close();
    process.off('exit', killAll);
    if (flags.dataDir === undefined) rmSync(dir, { recursive: true, force: true });
  }
  return demo.wrong === 0 ? 0 : 1;
}

/** Resolves to the exit code. */
export async function demo(args: readonly string[], io: Io = processIo()): Promise<number> {
  let code = 0;
  const program = new Command('kintsugi demo').description('three members on this machine, a gentle workload, and keys to hurt them')
    .option('--data-dir <dir>', 'an empty directory to keep data and logs in; default: a temporary one')
    .option('--seconds <n>', 'end after this long; 0: at q or Ctrl-C', '0')
    .addHelpText('after', `
Keys: f flips bits in a table of a follower, s scrubs, k kills the leader, r restarts it, q quits.

Examples:
  kintsugi demo
  kintsugi demo --seconds 20 --data-dir ./demo     without a terminal: one status line a second`)
    .exitOverride().configureOutput({ writeOut: (text) => io.out(text), writeErr: () => undefined })
    .action(async (flags: Flags) => void (code = await runDemo(io, flags)));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    io.err(`${error.message.replace(/^error:/, 'Error:')}\nSee kintsugi demo --help\n`);
    return 2;
  }
}
