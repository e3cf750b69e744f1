/**
 * etcdctl against one cluster: each command with what it printed and its exit code, in words that
 * can be compared between clusters. What etcdctl prints of one cluster alone (ids, URLs, sizes,
 * times) has a name in its place, in the order in which it first came up.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Told } from './peer.js';

const TIMEOUT_MS = 20_000;

export interface How {
  /** Standard input. */
  readonly input?: string;
  /** Endpoints; default: the first member's. `all`: every one's. */
  readonly at?: 'all' | number;
  /** It is not compared what it prints, only how it ends. */
  readonly codeOnly?: boolean;
}

export class Etcdctl {
  readonly #command: string;
  readonly urls: readonly string[];
  #told: Told[] = [];
  readonly #names = new Map<string, string>();

  constructor(command: string, urls: readonly string[]) {
    this.#command = command;
    this.urls = urls;
  }

  take(): readonly Told[] {
    const told = this.#told;
    this.#told = [];
    this.#names.clear();
    return told;
  }

  /** Runs to its end; gives what it printed, as it was. */
  async run(args: readonly string[], how: How = {}): Promise<string> {
    const child = this.#start(args, how.at ?? 0);
    const printed = collect(child);
    child.stdin?.end(how.input ?? '');
    const code = await ended(child, TIMEOUT_MS);
    const answer = how.codeOnly === true ? `exit ${code}` : `${this.words(printed())}\nexit ${code}`;
    this.#told.push({ call: `etcdctl ${this.words(args.join(' '))}`, answer });
    return printed();
  }

  /** The same, untold. */
  async quietly(...args: string[]): Promise<string> {
    const child = this.#start(args, 0);
    const printed = collect(child);
    child.stdin?.end();
    await ended(child, TIMEOUT_MS);
    return printed();
  }

  /** Runs until {@link Running.end}. */
  begin(...args: string[]): Running {
    return new Running(this.#start(args, 0), `etcdctl ${args.join(' ')}`, (told) => this.#told.push({ ...told, answer: this.words(told.answer) }));
  }

  words(text: string): string {
    return text
      .replace(/https?:\/\/127\.0\.0\.1:\d+|127\.0\.0\.1:\d+/g, (url) => this.#name('url', url.replace(/^https?:\/\//, '')))
      .replace(/"(cluster_id|member_id|ID|leader|raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|hash|memberID|dbSizeQuota)":-?\d+/g, '"$1":*')
      .replace(/"(ClusterID|MemberID|Leader|RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|Hash|DBSizeQuota)" : -?\d+/g, '"$1" : *')
      .replace(/"(version|storageVersion)":"\d+\.\d+\.\d+"/g, '"$1":*')
      .replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, 'TIME')
      .replace(/\b\d+(\.\d+)? ?([kMG]?B|MiB|KiB)\b/g, 'SIZE')
      .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{11,16}\b/g, (id) => this.#name('id', id))
      // It fills up what is shorter than 16 digits.
      .replace(/ +(?=id#)/g, ' ');
  }

  #name(kind: string, what: string): string {
    let name = this.#names.get(what);
    if (name === undefined) this.#names.set(what, (name = `${kind}#${[...this.#names.values()].filter((each) => each.startsWith(kind)).length + 1}`));
    return name;
  }

  #start(args: readonly string[], at: 'all' | number): ChildProcess {
    const endpoints = at === 'all' ? this.urls.join(',') : (this.urls[at] ?? '');
    const env = { ...process.env, ETCDCTL_API: '3', ...(args.some((arg) => arg.startsWith('--endpoints')) ? {} : { ETCDCTL_ENDPOINTS: endpoints }) };
    return spawn(this.#command, args, { env, stdio: 'pipe' });
  }
}

/** A command that goes on: a watch, a lock, an election. */
export class Running {
  readonly #child: ChildProcess;
  readonly #call: string;
  readonly #printed: () => string;
  readonly #tell: (told: Told) => void;

  constructor(child: ChildProcess, call: string, tell: (told: Told) => void) {
    this.#child = child;
    this.#call = call;
    this.#printed = collect(child);
    this.#tell = tell;
  }

  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Waits until it has printed that; false: not in time. */
  async prints(what: RegExp, withinMs = 5_000): Promise<boolean> {
    for (const deadline = Date.now() + withinMs; !what.test(this.#printed()); ) {
      if (Date.now() > deadline || this.#child.exitCode !== null) return what.test(this.#printed());
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return true;
  }

  /** As Ctrl-C does; tells all that it has printed. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGINT');
    await ended(this.#child, TIMEOUT_MS);
    this.#tell({ call: this.#call, answer: this.#printed().trimEnd() });
  }
}

function collect(child: ChildProcess): () => string {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (text += data.toString('latin1')));
  return () => withoutLogs(text).trimEnd();
}

/** Lines that the client library writes for developers differ with every version of it. */
function withoutLogs(text: string): string {
  return text.split('\n').filter((line) => !/^\{"level":"(warn|info|debug)"/.test(line)).join('\n');
}

async function ended(child: ChildProcess, withinMs: number): Promise<number> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? -1;
  const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
  await once(child, 'close');
  clearTimeout(timer);
  return child.exitCode ?? -1;
}
