/** Any method of the client port, by reflection over the `.proto` files: for tests. */

import { Client, credentials, Metadata, type ClientReadableStream, type ServiceError } from '@grpc/grpc-js';
import { must } from '../../base/assert.js';
import { serviceMethods, type AnyMethod } from '../../api/protos/protos.js';

export type Answer = Readonly<Record<string, unknown>>;

/** A call under way. */
export interface Asked {
  readonly answer: Promise<Answer>;
  cancel(): void;
}

export class RawClient {
  readonly #client: Client;
  /** Sent with every call. */
  token: string | undefined;

  /** Each has a connection of its own. */
  constructor(endpoint: string) {
    this.#client = new Client(endpoint, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  }

  call(service: string, name: string, request: object, withinMs = 20_000): Promise<Answer> {
    return this.ask(service, name, request, withinMs).answer;
  }

  ask(service: string, name: string, request: object, withinMs = 20_000): Asked {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, name);
    let cancel = (): void => undefined;
    const answer = new Promise<Answer>((resolve, reject) => {
      const options = { deadline: Date.now() + withinMs };
      const answered = (error: ServiceError | null, reply?: object): void => {
        if (error === null) resolve(reply as Answer);
        else reject(error);
      };
      const call = this.#client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata(), options, answered);
      cancel = () => call.cancel();
    });
    answer.catch(() => undefined);
    return { answer, cancel };
  }

  listen(service: string, name: string, request: object): ClientReadableStream<object> {
    const { path, requestSerialize, responseDeserialize } = methodOf(service, name);
    return this.#client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, this.#metadata());
  }

  close(): void {
    this.#client.close();
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    if (this.token !== undefined) metadata.set('token', this.token);
    return metadata;
  }
}

/** What it was refused with: `code: details`. */
export async function refusal(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(() => undefined, (reason: unknown) => reason as ServiceError);
  return error === undefined ? 'it was answered' : `${error.code}: ${error.details}`;
}

function methodOf(service: string, name: string): AnyMethod {
  return must(serviceMethods(service)[name], `${service} has a method ${name}`);
}
