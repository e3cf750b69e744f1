/**
 * What every `ctl` command shares: where it reads and writes, the global flags resolved (flag >
 * KINTSUGI_* > ETCDCTL_* > default), and one client that is closed whatever happens. Commands only
 * throw; {@link explain} makes the message.
 */

import { readFileSync } from 'node:fs';
import { addressOf } from '../../client/endpoint.js';
import { ClientError, connect, type AuthOptions, type Client } from '../../client/client.js';
import type { TlsOptions } from '../../client/tls.js';
import { messageOf } from '../../base/errors.js';
import { parseGoDuration } from '../render/go.js';

/** The process as a command sees it; tests put their own in its place. */
export interface Io {
  out(text: string | Uint8Array): void;
  err(text: string): void;
  /** All of standard input. */
  stdin(): Promise<Buffer>;
  /** A line of the terminal, which does not show it; undefined: there is none. */
  secret(question: string): Promise<string | undefined>;
  /** Standard input line by line, as it comes, without line ends. Undefined: there is none. */
  lines?(): AsyncIterable<Buffer>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted when the operator wants the command to end (^C, SIGTERM). From then on it is heard. */
  interrupted?(): AbortSignal;
  /** Standard output is a terminal. */
  readonly tty: boolean;
  /** Width of that terminal; undefined: not known. */
  readonly columns?: number | undefined;
  /**
   * The command is over: what still holds the process (a member that accepts and never answers)
   * must not.
   */
  done?(code: number): void;
}

/** The command line makes no sense: exit code 2. */
export class UsageFault extends Error {
  override readonly name = 'UsageFault';
}

/**
 * Done, and the outcome is bad: exit code 1. The message, if any, has been chosen for the operator.
 */
export class Failed extends Error {
  override readonly name = 'Failed';
}

/** A command that was run for the operator ended with this exit code: so does this one. */
export class Exited extends Error {
  override readonly name = 'Exited';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit status ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export const FORMATS = ['simple', 'json', 'table', 'fields'] as const;
export type Format = (typeof FORMATS)[number];

export interface GlobalFlags {
  readonly endpoints?: string;
  readonly writeOut?: string;
  readonly hex?: boolean;
  readonly commandTimeout?: string;
  readonly dialTimeout?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly user?: string;
  readonly password?: string;
}

const DEFAULT_ENDPOINTS = '127.0.0.1:2379';

/** Of a flag, by its name. */
export function fromEnv(env: Io['env'], flag: string): string | undefined {
  const name = flag.replaceAll('-', '_').toUpperCase();
  return env[`KINTSUGI_${name}`] ?? env[`ETCDCTL_${name}`];
}

export class Context {
  readonly io: Io;
  readonly endpoints: readonly string[];
  readonly format: Format;
  readonly hex: boolean;
  readonly timeoutMs: number;
  readonly client: Client;

  constructor(io: Io, flags: GlobalFlags, auth?: AuthOptions) {
    this.io = io;
    const listed = flags.endpoints ?? fromEnv(io.env, 'endpoints') ?? DEFAULT_ENDPOINTS;
    this.endpoints = [...new Set(listed.split(',').map((e) => e.trim()).filter((e) => e !== ''))];
    const format = flags.writeOut ?? fromEnv(io.env, 'write-out') ?? 'simple';
    if (!FORMATS.some((f) => f === format)) throw new UsageFault(`--write-out is one of ${FORMATS.join(', ')}, got ${JSON.stringify(format)}`);
    this.format = format as Format;
    this.hex = flags.hex ?? false;
    this.timeoutMs = this.#duration('command-timeout', flags.commandTimeout, '5s');
    const dialTimeoutMs = this.#duration('dial-timeout', flags.dialTimeout, '2s');
    if (this.endpoints.length === 0) throw new UsageFault('--endpoints names no endpoint');
    try {
      for (const endpoint of this.endpoints) addressOf(endpoint);
    } catch (error) {
      throw new UsageFault(error instanceof ClientError ? error.details : String(error));
    }
    const tls = this.#tls(flags);
    try {
      const who = auth === undefined ? {} : { auth };
      this.client = connect({ endpoints: this.endpoints, timeoutMs: this.timeoutMs, dialTimeoutMs, ...tls, ...who });
    } catch (error) {
      throw new UsageFault(error instanceof ClientError ? error.details : String(error));
    }
  }

  /** Aborted on ^C, which ends the command itself from then on no more. */
  get interrupted(): AbortSignal {
    return this.io.interrupted?.() ?? new AbortController().signal;
  }

  #duration(flag: string, given: string | undefined, otherwise: string): number {
    const text = given ?? fromEnv(this.io.env, flag) ?? otherwise;
    const ms = parseGoDuration(text);
    if (ms === undefined || ms <= 0) throw new UsageFault(`--${flag} is a duration such as ${otherwise} or 500ms, got ${JSON.stringify(text)}`);
    return ms;
  }

  /** Empty: none of it is given, and endpoints without a scheme are in plain text. */
  #tls(flags: GlobalFlags): { readonly tls?: TlsOptions } {
    const file = (flag: 'cacert' | 'cert' | 'key'): Buffer | undefined => {
      const path = flags[flag] ?? fromEnv(this.io.env, flag) ?? '';
      if (path === '') return undefined;
      try {
        return readFileSync(path);
      } catch (error) {
        throw new UsageFault(`--${flag}: ${messageOf(error)}`);
      }
    };
    const [ca, cert, key] = [file('cacert'), file('cert'), file('key')];
    if ((cert === undefined) !== (key === undefined)) throw new UsageFault('--cert and --key go together: either both are set or neither');
    const said = fromEnv(this.io.env, 'insecure-skip-tls-verify');
    const insecureSkipVerify = flags.insecureSkipTlsVerify ?? (said === 'true' || said === '1');
    return ca === undefined && cert === undefined && !insecureSkipVerify ? {} : { tls: { ca, cert, key, insecureSkipVerify } };
  }

  line(text: string): void {
    this.io.out(`${text}\n`);
  }

  /** For commands whose answer has no columns. */
  refuseTable(): void {
    if (this.format === 'table') throw new UsageFault('this command has no -w table; use simple, json or fields');
  }

  /** With `cluster`, every member that has a client address; else what --endpoints names. */
  async targets(cluster: boolean): Promise<readonly string[]> {
    if (!cluster) return this.endpoints;
    const { members } = await this.client.memberList();
    const urls = members.flatMap((member) => member.clientUrls);
    if (urls.length === 0) throw new Failed('no member tells a client URL: give --endpoints instead of --cluster');
    return urls;
  }
}

/** What to do about it, by etcd's message. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/required revision has been compacted/, 'ask for a newer --rev; without --rev you get the newest version'],
  [/required revision is a future revision/, 'the store has not come that far; `endpoint status -w fields` shows its revision'],
  [/unable to (verify|get)|self.signed certificate/, 'is --cacert the authority of the members\' certificates?'],
  [/alert (certificate required|bad certificate|unknown ca)|socket hang up/, 'the members want a certificate of their authority: --cert and --key'],
  [/wrong version number|packet length too long/, 'the member does not speak TLS there: use http://, or no --cacert'],
  [/no leader/, 'no majority of members can reach each other; see `kintsugi ctl endpoint status --cluster`'],
  [/not leader/, 'ask the leader: give its endpoint, or all of them, in --endpoints'],
  [/bad leader transferee/, 'give a voting member\'s id in hex, as `kintsugi ctl member list` shows it'],
  [/member not found/, '`kintsugi ctl member list` shows the members and their ids'],
  [/in sync with leader/, 'it is still catching up: start it if it is not, and try again'],
  [/not enough started members|unhealthy cluster/, 'too few members would be alive: start those that are down, or remove dead ones first'],
  [/too many learner/, 'promote or remove the learner that there is first'],
  [/rpc not supported for learner/, 'ask a voting member; a learner answers serializable reads (get --consistency=s)'],
  [/version of the cluster does not allow/, 'start the members that it names with the newer program'],
  [/database space exceeded/, 'free disk space on the members; reads and deletes go on'],
  [/too many requests/, 'the members cannot keep up; wait a little, then try again'],
  [/request is too large|larger than max/, 'a request may have 1.5 MiB; split it'],
  [/too many operations/, 'a txn may have 128 operations in each part; split it'],
  [/duplicate key given/, 'write each key at most once in a txn'],
  [/requested lease not found/, 'the lease expired or never existed'],
  [/key is not provided/, 'the empty key does not exist; for all keys use `get "" --prefix`'],
  [/user name is empty/, 'auth is on: say who you are with --user NAME[:PASSWORD] (or KINTSUGI_USER)'],
  [/invalid user ID or password/, 'name and password of --user do not fit; root changes a password: `kintsugi ctl --user root user passwd NAME`'],
  [/for no password user/, 'this user has no password: it is known by its certificate (--cert and --key, without --user)'],
  [/permission denied/, 'the user has no role that allows it; as root: `kintsugi ctl --user root user get NAME --detail`'],
  [/root user does not exist/, 'add it first: `kintsugi ctl user add root`'],
  [/root user does not have root role/, 'grant it first: `kintsugi ctl user grant-role root root`'],
  [/invalid auth management/, 'while auth is on, the user root and its role stay; a permission has a key, and an end behind it'],
  [/user name not found/, '`kintsugi ctl user list` shows the users'],
  [/role name not found/, '`kintsugi ctl role list` shows the roles'],
  [/permission is not granted to the role/, 'give a range as it was granted: `kintsugi ctl role get ROLE` shows them'],
  [/unknown service kintsugi/, 'this endpoint is not a Kintsugi member'],
  [/unknown (service|method)/, 'this server does not have this command'],
];

const MEMBER_RUNNING = 'is the member running, and is --endpoints (KINTSUGI_ENDPOINTS) its --advertise-client-urls?';

function adviceFor(error: ClientError): string | undefined {
  const known = ADVICE.find(([pattern]) => pattern.test(error.details));
  if (known !== undefined) return known[1];
  switch (error.code) {
    case 'UNAVAILABLE':
      return error.unsent
        ? MEMBER_RUNNING
        : 'the answer was lost: a write may or may not have happened; read before you write again';
    case 'DEADLINE_EXCEEDED':
      if ([...error.failures.values()].some((why) => why !== error.details)) return MEMBER_RUNNING;
      return 'is there a leader? `kintsugi ctl endpoint status --cluster`; a write may still happen; --command-timeout gives it longer';
    case 'DATA_LOSS':
      return 'no copy of a block is readable on any member: see `kintsugi ctl heal hints` and restore those keys from a backup';
    default:
      return undefined;
  }
}

/** First line as etcdctl says it; then who said it, and what to do. */
export function explain(error: ClientError): string {
  const { failures } = error;
  const lines = [`Error: ${error.code === 'DEADLINE_EXCEEDED' ? 'context deadline exceeded' : error.details}`];
  if (failures.size > 1) for (const [endpoint, details] of failures) lines.push(`  ${endpoint}: ${details}`);
  else if (error.endpoint !== undefined) {
    const [before] = failures.values();
    const why = error.code === 'DEADLINE_EXCEEDED' && before !== undefined && before !== error.details ? `: ${before}` : '';
    lines.push(`  asked: ${error.endpoint}${error.attempts > 1 ? `, ${error.attempts} times` : ''}${why}`);
  }
  const advice = adviceFor(error);
  if (advice !== undefined) lines.push(`  try:   ${advice}`);
  return `${lines.join('\n')}\n`;
}
