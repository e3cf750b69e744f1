/**
 * Connections that begin something and never end it, and are opened again as soon as they are
 * closed: what a port must bear from anybody who can reach it. They are made in a process of their
 * own: what they cost whoever makes them is not counted with who waits for puts. Run as
 * `half-open.ts SPEC`.
 */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** `tls-` kinds finish the handshake first. */
export type HalfOpenKind = 'silent' | 'half hello' | 'half preface' | 'half request' | 'tls-half preface' | 'tls-half request';

export const PLAIN_KINDS: readonly HalfOpenKind[] = ['silent', 'half hello', 'half preface', 'half request'];
export const TLS_KINDS: readonly HalfOpenKind[] = ['silent', 'half hello', 'tls-half preface', 'tls-half request'];

/** The head of a TLS record of a ClientHello of 512 bytes, and the first of those. */
const HALF_HELLO = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(100, 7)]);
const HALF_PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nS');
const HALF_REQUEST = Buffer.from('GET /health HTTP/1.1\r\nHost: nowhere\r\n');
const AGAIN_MS = 250;

export interface HalfOpenSpec {
  readonly port: number;
  readonly kinds: readonly HalfOpenKind[];
  readonly count: number;
}

export interface HalfOpenEnd {
  /** Since the start. */
  readonly opened: number;
  /** The longest that one of them was open. */
  readonly oldestMs: number;
}

const SELF = fileURLToPath(import.meta.url);

export interface HalfOpenProcess {
  /** Opens the connections. */
  go(): void;
  close(): Promise<HalfOpenEnd>;
  /** At once. */
  stop(): void;
}

/** Starts a process that waits. */
export async function startHalfOpen(spec: HalfOpenSpec): Promise<HalfOpenProcess> {
  const child = fork(SELF, [JSON.stringify(spec)], { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const next = <T>(): Promise<T> => new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`the process of half-open connections ended with code ${code}`)));
  });
  await next();
  const close = async (): Promise<HalfOpenEnd> => {
    const end = next<HalfOpenEnd>();
    child.send('close');
    const said = await end;
    child.disconnect();
    return said;
  };
  return { go: () => void child.send('go'), close, stop: () => void child.kill('SIGKILL') };
}

class HalfOpen {
  readonly #port: number;
  /** Since when. */
  readonly #sockets = new Map<Socket, number>();
  #oldestMs = 0;
  #closed = false;
  /** Since the start. */
  opened = 0;

  constructor(port: number, kinds: readonly HalfOpenKind[], count: number) {
    this.#port = port;
    for (let i = 0; i < count; i++) this.#open(kinds[i % kinds.length] as HalfOpenKind);
  }

  /** The longest that one of them was open. */
  get oldestMs(): number {
    const [first = Infinity] = this.#sockets.values();
    return Math.max(this.#oldestMs, this.#closed ? 0 : performance.now() - first);
  }

  close(): void {
    this.#oldestMs = this.oldestMs;
    this.#closed = true;
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  #open(kind: HalfOpenKind): void {
    if (this.#closed) return;
    const where = { port: this.#port, host: '127.0.0.1' };
    const secure = kind.startsWith('tls-');
    const socket = secure ? connectTls({ ...where, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }) : connectTcp(where);
    socket.on(secure ? 'secureConnect' : 'connect', () => {
      this.opened++;
      this.#sockets.set(socket, performance.now());
      if (kind.endsWith('hello')) socket.write(HALF_HELLO);
      else if (kind.endsWith('preface')) socket.write(HALF_PREFACE);
      else if (kind.endsWith('request')) socket.write(HALF_REQUEST);
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      const since = this.#sockets.get(socket);
      if (since !== undefined && !this.#closed) this.#oldestMs = Math.max(this.#oldestMs, performance.now() - since);
      this.#sockets.delete(socket);
      setTimeout(() => this.#open(kind), AGAIN_MS);
    });
    socket.resume();
  }
}

if (process.argv[1] === SELF) {
  const { port, kinds, count } = JSON.parse(process.argv[2] as string) as HalfOpenSpec;
  let all: HalfOpen | undefined;
  process.once('disconnect', () => process.exit());
  process.on('message', (what) => {
    if (what === 'go') all = new HalfOpen(port, kinds, count);
    if (what !== 'close' || all === undefined) return;
    all.close();
    process.send?.({ opened: all.opened, oldestMs: all.oldestMs } satisfies HalfOpenEnd);
  });
  process.send?.('ready');
}
