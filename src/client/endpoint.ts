/**
 * One connection to one member. Bytes in, bytes out: it knows deadlines and statuses, nothing of
 * keys. It tells apart a call that never left this process from one that may have been carried out,
 * which is all that a retry needs to know.
 */

import { Client as GrpcClient, connectivityState, Metadata, type ClientDuplexStream, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import type { CallLimits, Connection, Dialer, DuplexCall } from './connection.js';
import { badArgument, ClientError, codeOfStatus } from './errors.js';
import { credentialsOf, type TlsOptions } from './tls.js';

export interface EndpointOptions {
  /** How long a connection may take to come about before the next endpoint is tried. */
  readonly dialTimeoutMs: number;
  readonly tls?: TlsOptions | undefined;
}

function metadataOf({ token }: CallLimits): Metadata {
  const metadata = new Metadata();
  if (token !== undefined && token !== '') metadata.set('token', token);
  return metadata;
}

const identity = (bytes: Buffer): Buffer => bytes;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * How grpc-js, whose version is pinned, says that it had no connection to send a call on; the tests
 * hold it to this.
 */
const NEVER_SENT = /^(No connection established|Name resolution failed)/;

interface Address {
  /** `host:port`. */
  readonly address: string;
  readonly scheme: string | undefined;
}

/** An endpoint as people write it. Throws ClientError INVALID_ARGUMENT. */
export function addressOf(endpoint: string): Address {
  const match = /^(?:(\w+):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:[\]]+):(\d{1,5})\/?$/.exec(endpoint.trim());
  const [, protocol, host, port] = match ?? [];
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw badArgument(`endpoint ${JSON.stringify(endpoint)} is not of the form host:port, http://host:port or https://host:port`);
  }
  if (protocol !== undefined && !/^https?$/.test(protocol)) throw badArgument(`endpoint ${endpoint}: ${protocol}:// is not known, use http:// or https://`);
  return { address: `${host}:${port}`, scheme: protocol };
}

export class Endpoint implements Connection {
  /** As it was given. */
  readonly name: string;
  readonly #client: GrpcClient;
  readonly #dialTimeoutMs: number;

  constructor(name: string, options: EndpointOptions) {
    this.name = name;
    this.#dialTimeoutMs = options.dialTimeoutMs;
    const { address, scheme } = addressOf(name);
    this.#client = new GrpcClient(address, credentialsOf(scheme, options.tls), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  async unary(path: string, request: Uint8Array, limits: CallLimits): Promise<Buffer> {
    if (limits.signal?.aborted === true) throw this.#cancelled();
    await this.#dialled(limits.deadline);
    return new Promise((resolve, reject) => {
      const options = { deadline: limits.deadline };
      const onAnswer = (error: ServiceError | null, response?: Buffer): void => {
        limits.signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(response ?? Buffer.alloc(0));
        else reject(this.#errorOf(error));
      };
      const bytes = asBuffer(request);
      const call = this.#client.makeUnaryRequest(path, identity, identity, bytes, metadataOf(limits), options, onAnswer);
      const cancel = (): void => call.cancel();
      limits.signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  async *serverStream(path: string, request: Uint8Array, limits: CallLimits): AsyncGenerator<Buffer, void, undefined> {
    if (limits.signal?.aborted === true) throw this.#cancelled();
    await this.#dialled(limits.deadline);
    const options = { deadline: limits.deadline };
    const call = this.#client.makeServerStreamRequest(path, identity, identity, asBuffer(request), metadataOf(limits), options);
    yield* this.messages(call, limits);
  }

  async duplex(path: string, limits: CallLimits, requireLeader: boolean): Promise<DuplexCall> {
    if (limits.signal?.aborted === true) throw this.#cancelled();
    await this.#dialled(limits.deadline);
    const metadata = metadataOf(limits);
    if (requireLeader) metadata.set('hasleader', 'true');
    const call = this.#client.makeBidiStreamRequest(path, identity, identity, metadata, { deadline: limits.deadline });
    return new GrpcDuplex(this, call, limits);
  }

  /** Ends the call when the consumer stops early. */
  async *messages(call: ClientReadableStream<Buffer>, limits: CallLimits): AsyncGenerator<Buffer, void, undefined> {
    const cancel = (): void => call.cancel();
    limits.signal?.addEventListener('abort', cancel, { once: true });
    if (limits.signal?.aborted === true) cancel();
    try {
      for await (const message of call) yield message as Buffer;
    } catch (error) {
      throw this.#errorOf(error as ServiceError);
    } finally {
      limits.signal?.removeEventListener('abort', cancel);
      call.on('error', () => undefined);
      call.cancel();
    }
  }

  /**
   * Resolves when there is a connection, or a refusal that the call itself will then report with
   * its reason.
   */
  async #dialled(deadline: number): Promise<void> {
    const channel = this.#client.getChannel();
    const began = Date.now();
    const until = Math.min(deadline, began + this.#dialTimeoutMs);
    for (;;) {
      const state = channel.getConnectivityState(true);
      if (state === connectivityState.READY || state === connectivityState.TRANSIENT_FAILURE) return;
      if (state === connectivityState.SHUTDOWN) throw this.#cancelled();
      const late = await new Promise((resolve) => channel.watchConnectivityState(state, until, (error) => resolve(error)));
      if (late !== undefined) {
        const code = until === deadline ? 'DEADLINE_EXCEEDED' : 'UNAVAILABLE';
        throw new ClientError(code, { details: `no connection within ${until - began} ms`, endpoint: this.name, unsent: true });
      }
    }
  }

  #cancelled(): ClientError {
    return new ClientError('CANCELLED', { details: 'the call was cancelled or the client is closed', endpoint: this.name, unsent: true });
  }

  #errorOf(error: Partial<ServiceError>): ClientError {
    const code = codeOfStatus(error.code ?? 2);
    const text = error.details ?? error.message ?? String(error);
    const unsent = code === 'UNAVAILABLE' && NEVER_SENT.test(text);
    // "... Last error: Error: connect ECONNREFUSED 127.0.0.1:2379. Resolution note: "
    const reason = /Last error: (?:Error: )?(.+?)\.? Resolution note:/.exec(text)?.[1];
    return new ClientError(code, { details: unsent && reason !== undefined ? reason : text, endpoint: this.name, unsent, cause: error });
  }
}

class GrpcDuplex implements DuplexCall {
  readonly #endpoint: Endpoint;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #limits: CallLimits;

  constructor(endpoint: Endpoint, call: ClientDuplexStream<Buffer, Buffer>, limits: CallLimits) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.#limits = limits;
  }

  write(bytes: Uint8Array): void {
    this.#call.write(asBuffer(bytes));
  }

  messages(): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#endpoint.messages(this.#call, this.#limits);
  }
}

/** To members on the network. */
export class GrpcDialer implements Dialer {
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
  }

  dial(name: string): Connection {
    return new Endpoint(name, this.#options);
  }
}
