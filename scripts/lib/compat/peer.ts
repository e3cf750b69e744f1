/**
 * One server under comparison: calls go to it by reflection over our own `.proto` files, and what
 * it answers is kept, call by call, in words that can be compared.
 */

import { Client, credentials, Metadata, status, type ClientDuplexStream, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { createSecureContext } from 'node:tls';
import { serviceMethods, type AnyMethod } from '../../../src/api/protos/protos.js';
import { TlsCredentials } from '../../../src/dial/tls-credentials.js';
import { Normalizer } from './normalize.js';

export interface Told {
  readonly call: string;
  readonly answer: string;
}

/** Field names as in the `.proto` files; bytes as text or Buffer, 64-bit numbers as strings. */
export type Request = Readonly<Record<string, unknown>>;
export type Reply = Readonly<Record<string, unknown>>;

/** PEM; without authorities any server will do. */
export interface PeerTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const DEADLINE_MS = 6_000;

export class Peer {
  readonly url: string;
  readonly #client: Client;
  #told: Told[] = [];
  #words = new Normalizer(0n, '');
  #token: string | undefined;

  constructor(url: string, tls?: PeerTls) {
    this.url = url;
    const options = { 'grpc.enable_http_proxy': 0, 'grpc.use_local_subchannel_pool': 1, 'grpc.max_receive_message_length': -1 };
    this.#client = new Client(new URL(url).host, tls === undefined ? credentials.createInsecure() : secured(tls), options);
  }

  close(): void {
    this.#client.close();
  }

  /** Begins a case; gives what the one before has told. */
  async begin(service: string): Promise<void> {
    const { header } = (await this.#unary('KV', 'Range', { key: Buffer.from('\0'), serializable: true })) as { header?: { revision?: string } };
    this.#words = new Normalizer(BigInt(header?.revision ?? '1'), service);
    this.#told = [];
  }

  take(): readonly Told[] {
    return this.#told;
  }

  /** Later calls bear this token; undefined: none. */
  useToken(token: string | undefined): void {
    this.#token = token;
  }

  /** An id of the caller's choice, told as it is. */
  given(id: string): string {
    this.#words.given(id);
    return id;
  }

  /** Undefined: it was refused. Either is told. */
  call(service: string, method: string, request: Request = {}): Promise<Reply | undefined> {
    return this.callFor(DEADLINE_MS, service, method, request);
  }

  /** The same, given up after so long. */
  async callFor(withinMs: number, service: string, method: string, request: Request): Promise<Reply | undefined> {
    const call = `${service}/${method} ${show(request)}`;
    // Of calls at a time, either may be answered first: they are told in the order of asking.
    const place = this.#told.push({ call, answer: 'no answer yet' }) - 1;
    const told = this.#told;
    try {
      const reply = await this.#unary(service, method, request, withinMs);
      told[place] = { call, answer: this.#worded(reply) };
      return reply;
    } catch (error) {
      told[place] = { call, answer: this.#worded(error) };
      return undefined;
    }
  }

  /** The same, untold: for what a case needs beside its claim. */
  quietly(service: string, method: string, request: Request = {}): Promise<Reply | undefined> {
    return this.#unary(service, method, request).catch(() => undefined);
  }

  /** Resolves when the key is there, or is not; what comes next tells, if that takes too long. */
  async until(key: string, there = true): Promise<void> {
    for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline;) {
      const reply = await this.quietly('KV', 'Range', { key: Buffer.from(key), count_only: true });
      if ((String(reply?.['count'] ?? '0') !== '0') === there) return;
    }
  }

  tell(call: string, answer: unknown): void {
    this.#told.push({ call, answer: this.#worded(answer) });
  }

  #worded(answer: unknown): string {
    const { code, details } = answer as ServiceError;
    const isError = answer instanceof Error;
    const isGivenUp = isError && (code === status.DEADLINE_EXCEEDED || code === status.CANCELLED);
    // Whose clock was first is chance.
    return isGivenUp ? 'given up' : isError ? `${status[code] ?? code}: ${details}` : JSON.stringify(this.#words.of(answer));
  }

  /** What came over HTTP: its status and, unless it is a text, every field that is there. */
  tellBody(call: string, status: string, body: unknown): void {
    // Go's decoder writes one blank or another, as its build fell out.
    const text = typeof body === 'string' ? body : JSON.stringify(this.#words.exactly(body));
    this.#told.push({ call, answer: `${status} ${text.replaceAll('\u00a0', ' ')}` });
  }

  /** A stream of requests and answers. */
  stream(service: string, method: string): Dialogue {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    return new Dialogue(this, `${service}/${method}`, this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata()));
  }

  /** A stream of answers, one by one. */
  listen(service: string, method: string, request: Request): Dialogue {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    return new Dialogue(this, `${service}/${method}`, this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#metadata()));
  }

  /** All messages of a stream of answers; what ends it early is told. */
  async all(service: string, method: string, request: Request): Promise<Reply[]> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    const call = `${service}/${method} ${show(request)}`;
    const options = { deadline: Date.now() + DEADLINE_MS };
    const stream = this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#metadata(), options);
    const replies: Reply[] = [];
    try {
      for await (const reply of stream) replies.push(reply as Reply);
    } catch (error) {
      this.tell(call, error);
    }
    return replies;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.#token !== undefined) metadata.set('token', this.#token);
    return metadata;
  }

  #unary(service: string, method: string, request: Request, withinMs = DEADLINE_MS): Promise<Reply> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, method);
    const options = { deadline: Date.now() + withinMs };
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata(), options, (error, reply) => {
        if (error) reject(error);
        else resolve(reply as Reply);
      });
    });
  }
}

/** What both sides of a stream say, in order. */
export class Dialogue {
  readonly #peer: Peer;
  readonly #name: string;
  readonly #stream: ClientDuplexStream<object, object> | ClientReadableStream<object>;
  readonly #heard: unknown[] = [];
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(peer: Peer, name: string, stream: ClientDuplexStream<object, object> | ClientReadableStream<object>) {
    this.#peer = peer;
    this.#name = name;
    this.#stream = stream;
    stream.on('data', (reply: unknown) => this.#hear(reply));
    stream.on('error', (error) => this.#hear(error));
    stream.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  #hear(what: unknown): void {
    this.#heard.push(what);
    this.#wake();
  }

  send(request: Request): void {
    if (!this.#ended && 'write' in this.#stream) this.#stream.write(request);
  }

  /**
   * Tells the next answer after `request` was sent; `nothing` if there is none in time. Gives what
   * was heard.
   */
  async ask(request: Request, withinMs = 2_000): Promise<Reply | undefined> {
    this.send(request);
    return this.next(show(request), withinMs);
  }

  async next(why: string, withinMs = 2_000): Promise<Reply | undefined> {
    const heard = await this.#hears(withinMs);
    this.#peer.tell(`${this.#name} ${why}`, heard ?? { nothing: true });
    return heard instanceof Error ? undefined : (heard as Reply | undefined);
  }

  async #hears(withinMs: number): Promise<unknown> {
    const deadline = Date.now() + withinMs;
    while (this.#heard.length === 0 && !this.#ended && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#heard.shift();
  }

  /**
   * All events that come until it has been quiet for so long, as one: history may come in any
   * number of messages of whole revisions. Before there were `atLeast`, quiet is not the end.
   */
  async events(why: string, quietMs: number, atLeast = 0): Promise<void> {
    const events: unknown[] = [];
    const others: unknown[] = [];
    const next = (): Promise<unknown> => this.#hears(events.length < atLeast ? DEADLINE_MS : quietMs);
    for (let heard = await next(); heard !== undefined; heard = await next()) {
      const { events: told = [] } = heard as { events?: unknown[] };
      events.push(...told);
      if (told.length === 0) others.push(heard);
    }
    this.#peer.tell(`${this.#name} ${why}`, { events, others });
  }

  end(): void {
    this.#stream.cancel();
  }
}

function secured(tls: PeerTls): TlsCredentials {
  const anybody = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
  return new TlsCredentials(createSecureContext(tls), tls.ca === undefined ? anybody : {});
}

function methodOf(service: string, name: string): AnyMethod {
  const method = serviceMethods(service.includes('.') ? service : `etcdserverpb.${service}`)[name];
  if (method === undefined) throw new Error(`no method ${service}/${name} in the protos`);
  return method;
}

function show(request: Request): string {
  return JSON.stringify(request, (_, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer') {
      const { data } = value as unknown as { data: number[] };
      const text = Buffer.from(data).toString('latin1');
      return text.length > 40 ? `${text.slice(0, 20)}... (${text.length} bytes)` : text;
    }
    return value;
  });
}
