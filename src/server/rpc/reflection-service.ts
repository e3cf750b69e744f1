/**
 * grpc.reflection.v1 and v1alpha: what the `.proto` files declare, for clients that have none of
 * them. @grpc/reflection knows the protocol; it is written for a server of grpc-js, of which it
 * uses no more than what stands here.
 */

import type { Server, UntypedHandleCall } from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { CodecError, messageOf } from '../../base/errors.js';
import { clientPackage } from '../../api/protos/protos.js';
import type { RequestStreamMethod, Method, Sender } from '../../grpc/method.js';

type Definition = MethodDefinition<object, object>;

/** A call as @grpc/reflection sees it: it listens for requests, and answers each at once. */
class Exchange {
  readonly #answers: object[] = [];
  #onRequest: (request: object) => void = () => undefined;

  on(event: string, listener: (request: object) => void): void {
    if (event === 'data') this.#onRequest = listener;
  }

  write(answer: object): void {
    this.#answers.push(answer);
  }

  ask(request: object): readonly object[] {
    this.#onRequest(request);
    return this.#answers.splice(0);
  }
}

class ReflectionMethod implements RequestStreamMethod {
  readonly kind = 'bidi';
  readonly #definition: Definition;
  readonly #answer: (exchange: Exchange) => void;

  constructor(definition: Definition, answer: (exchange: Exchange) => void) {
    this.#definition = definition;
    this.#answer = answer;
  }

  async handle(requests: AsyncIterable<Uint8Array>, out: Sender): Promise<void> {
    const exchange = new Exchange();
    this.#answer(exchange);
    for await (const bytes of requests) {
      for (const answer of exchange.ask(this.#decode(bytes))) await out.write(this.#definition.responseSerialize(answer));
    }
  }

  #decode(bytes: Uint8Array): object {
    try {
      return this.#definition.requestDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    } catch (error) {
      throw new CodecError(messageOf(error));
    }
  }
}

/** Takes services for the table. */
class TableServer implements Pick<Server, 'addService'> {
  readonly #table: Map<string, Method>;

  constructor(table: Map<string, Method>) {
    this.#table = table;
  }

  addService(service: Readonly<Record<string, Definition>>, implementation: Readonly<Record<string, UntypedHandleCall>>): void {
    for (const [name, definition] of Object.entries(service)) {
      const answer = implementation[name] as unknown as (exchange: Exchange) => void;
      this.#table.set(definition.path, new ReflectionMethod(definition, answer));
    }
  }
}

export function addReflection(table: Map<string, Method>): void {
  new ReflectionService(clientPackage()).addToServer(new TableServer(table));
}
