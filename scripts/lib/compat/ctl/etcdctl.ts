/**
 * etcdctl against one cluster: each command with what it printed and its exit code, in {@link
 * Words}. It gets nothing of the environment of whoever runs this but the PATH.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Cluster } from '../../cluster.js';
import { Normalizer } from '../normalize.js';
import type { Told } from '../peer.js';
import { serviceMethods } from '../../../../src/api/protos/protos.js';
import type { Second } from './second.js';
import { withoutLogs, Words } from './words.js';

/** Of a command that does not end. */
const TIMEOUT_MS = 60_000;
/**
 * How long etcdctl waits, unless it is told: its own 2 s and 5 s are a matter of how busy the
 * machine is, and what is compared is what it prints.
 */
const PATIENCE = { ETCDCTL_DIAL_TIMEOUT: '30s', ETCDCTL_COMMAND_TIMEOUT: '30s' };

export interface How {
  /** Standard input. */
  readonly input?: string;
  /** Endpoints; default: the first member's. `all`: every one's; text: that. */
  readonly at?: 'all' | number | string;
  readonly env?: Readonly<Record<string, string>>;
  /** It is not compared what it prints, only how it ends. */
  readonly codeOnly?: boolean;
  /** What is left open in what it prints, put in order: see `words.ts`. */
  readonly tidy?: (text: string) => string;
  /** It prints the answer of `KV/Range` or the like, in protobuf. */
  readonly answerOf?: string;
  /** What it prints counts from here on: what comes before is a matter of moments. */
  readonly only?: RegExp;
}

export class Etcdctl {
  readonly #command: string;
  readonly version: string;
  readonly cluster: Cluster;
  readonly second: Second;
  #told: Told[] = [];
  readonly #words: Words;

  constructor(etcdctl: { readonly command: string; readonly version: string }, cluster: Cluster, second: Second) {
    this.#command = etcdctl.command;
    this.version = etcdctl.version;
    this.cluster = cluster;
    this.second = second;
    const urls = cluster.nodes.flatMap(({ name, spec }) => [[new URL(spec.clientUrl).host, `${name}-client`], [new URL(spec.peerUrl).host, `${name}-peer`]] as const);
    this.#words = new Words(new Map([...urls, ...second.names]));
  }

  get urls(): readonly string[] {
    return this.cluster.urls;
  }

  take(): readonly Told[] {
    const told = this.#told;
    this.#told = [];
    this.#words.forget();
    return told;
  }

  /** Runs to its end; gives what it printed, as it was. */
  async run(args: readonly string[], how: How = {}): Promise<string> {
    const child = this.#start(args, how.at ?? 0, how.env);
    const printed = collect(child);
    child.stdin?.end(how.input ?? '');
    const code = await ended(child, TIMEOUT_MS);
    this.tell(`etcdctl ${args.join(' ')}`, `${this.#comparable(printed(), how)}\nexit ${code}`);
    return clean(printed());
  }

  /** What a case found out by other means than one command's output. */
  tell(call: string, answer: string): void {
    const [said, heard] = [this.#words.of(call), this.#words.of(answer)];
    this.#told.push({ call: said, answer: heard });
  }

  #comparable(printed: Buffer, how: How): string {
    if (how.codeOnly === true) return '';
    if (how.answerOf !== undefined) return decoded(printed, how.answerOf);
    const text = how.tidy?.(clean(printed)) ?? clean(printed);
    return how.only === undefined ? text : text.slice(text.search(how.only));
  }

  /** The same, untold. */
  async quietly(...args: string[]): Promise<string> {
    return this.at(0, ...args);
  }

  /** Untold, elsewhere. */
  at(where: 'all' | number | string, ...args: string[]): Promise<string> {
    return this.#untold(this.#start(args, where), TIMEOUT_MS);
  }

  /** The same of what takes minutes, at the first member. */
  longer(withinMs: number, ...args: string[]): Promise<string> {
    return this.#untold(this.#start(args, 0), withinMs);
  }

  async #untold(child: ChildProcess, withinMs: number): Promise<string> {
    const printed = collect(child);
    child.stdin?.end();
    await ended(child, withinMs);
    return clean(printed());
  }

  /** Untold: a value that is too long for a command line. */
  async put(where: string, key: string, value: string): Promise<string> {
    const child = this.#start(['put', key], where);
    const printed = collect(child);
    child.stdin?.end(value);
    await ended(child, TIMEOUT_MS);
    return clean(printed());
  }

  /** On a terminal of its own, which `script` makes. */
  async onTerminal(args: readonly string[], typed: string): Promise<void> {
    const env = { PATH: process.env['PATH'], ...PATIENCE, ETCDCTL_ENDPOINTS: this.urls[0] };
    const child = deaf(spawn('script', ['-qec', [this.#command, ...args].join(' '), '/dev/null'], { env, stdio: 'pipe' }));
    const printed = collect(child);
    const lines = typed.split(/(?<=\n)/);
    for (let i = 0; i < lines.length; i++) {
      // It asks, one after the other.
      for (const deadline = Date.now() + 15_000; Date.now() < deadline && clean(printed()).split(': ').length < i + 2 && child.exitCode === null; ) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      child.stdin.write(lines[i] ?? '');
    }
    child.stdin.end();
    const code = await ended(child, TIMEOUT_MS);
    this.tell(`on a terminal: etcdctl ${args.join(' ')}`, `${clean(printed()).replaceAll('\r', '')}\nexit ${code}`);
  }

  /** Asks until it prints that, or until it is too late; false then. */
  async until(what: RegExp, withinMs: number, where: 'all' | number | string, ...args: string[]): Promise<boolean> {
    for (const deadline = Date.now() + withinMs; Date.now() < deadline; ) if (what.test(await this.at(where, ...args))) return true;
    return false;
  }

  /** Runs until {@link Running.end}. */
  begin(args: readonly string[], how: How = {}): Running {
    return new Running(this.#start(args, how.at ?? 0, how.env), (printed) => this.tell(`etcdctl ${args.join(' ')}`, this.#comparable(printed, how)));
  }

  #start(args: readonly string[], at: 'all' | number | string, more: Readonly<Record<string, string>> = {}): ChildProcess {
    const endpoints = at === 'all' ? this.urls.join(',') : typeof at === 'string' ? at : (this.urls[at] ?? '');
    const environment = { ...PATIENCE, ETCDCTL_ENDPOINTS: endpoints, ...more };
    // It refuses what is told it by a flag, too.
    const isFlag = (name: string): boolean => args.some((arg) => arg.startsWith(`--${name.slice(8).toLowerCase().replaceAll('_', '-')}`));
    const told = Object.entries(environment).filter(([name]) => !isFlag(name) && !(name === 'ETCDCTL_ENDPOINTS' && isFlag('ETCDCTL_DISCOVERY_SRV')));
    return deaf(spawn(this.#command, args, { env: { PATH: process.env['PATH'], ...Object.fromEntries(told) }, stdio: 'pipe' }));
  }
}

/** A command that goes on: a watch, a lock, an election. */
export class Running {
  readonly #child: ChildProcess;
  readonly #printed: () => Buffer;
  readonly #tell: (printed: Buffer) => void;

  constructor(child: ChildProcess, tell: (printed: Buffer) => void) {
    this.#child = child;
    this.#printed = collect(child);
    this.#tell = tell;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits until it has printed that; false: not in time. */
  async prints(what: RegExp, withinMs = 10_000): Promise<boolean> {
    for (const deadline = Date.now() + withinMs; !what.test(clean(this.#printed())); ) {
      if (Date.now() > deadline || this.#child.exitCode !== null) return what.test(clean(this.#printed()));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return true;
  }

  /** As Ctrl-C does; tells all that it has printed. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGINT');
    await this.ends();
  }

  /** Gives it so long to end by itself. */
  async endsWithin(ms: number): Promise<void> {
    for (const deadline = Date.now() + ms; Date.now() < deadline && this.#child.exitCode === null; ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await this.end();
  }

  /** Waits until it ends by itself. */
  async ends(): Promise<void> {
    await ended(this.#child, TIMEOUT_MS);
    this.#tell(this.#printed());
  }
}

/** A command may end before it has read what it is given: that is no fault of either. */
function deaf<T extends ChildProcess>(child: T): T {
  child.stdin?.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return child;
}

/** Standard output, then standard error: which comes first is a matter of moments. */
function collect(child: ChildProcess): () => Buffer {
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on('data', (data: Buffer) => out.push(data));
  child.stderr?.on('data', (data: Buffer) => err.push(data));
  return () => Buffer.concat([...out, ...err]);
}

const clean = (printed: Buffer): string => withoutLogs(printed.toString()).trimEnd();

function decoded(printed: Buffer, method: string): string {
  const [service = '', name = ''] = method.split('/');
  const { responseDeserialize } = serviceMethods(`etcdserverpb.${service}`)[name] ?? {};
  if (responseDeserialize === undefined) throw new Error(`no method ${method}`);
  // Some print a line break after it, which is no part of the message; of a grant 3.7 prints the
  // header alone, which is the first field of every answer.
  const bare = [printed, printed.subarray(0, -1)];
  for (const message of [...bare, ...bare.map((header) => Buffer.concat([Uint8Array.of(10, header.length & 0x7f), header]))]) {
    try {
      return JSON.stringify(new Normalizer(0n, service).of(responseDeserialize(message)));
    } catch {
      continue;
    }
  }
  return clean(printed);
}

async function ended(child: ChildProcess, withinMs: number): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? -1;
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  await once(child, 'close');
  clearTimeout(timer);
  return child.exitCode ?? -1;
}
