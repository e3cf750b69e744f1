/**
 * Clients of a member in the same process: the same interface as over the network, through the same
 * methods and permissions. They are closed with the member.
 */

import type { Clock } from '../base/env.js';
import { Client, type AuthOptions } from '../client/client.js';
import type { Store } from '../node/store.js';
import { Passwords } from '../server/auth/passwords.js';
import { Health } from '../server/rpc/health-service.js';
import { clientMethods } from '../server/rpc/services.js';
import { InFlight } from './in-flight.js';
import { LOCAL, LocalDialer, type LocalMember } from './local-connection.js';

export interface LocalClientsOptions {
  /** Bytes of a write. */
  readonly maxRequestBytes: number;
  readonly bcryptCost: number;
  /** By which leases that are held are kept alive. Default: the process's. */
  readonly clock?: Clock;
}

export class LocalClients {
  readonly #member: LocalMember;
  readonly #clock: Clock | undefined;
  readonly #clients = new Set<Client>();

  constructor(store: Store, options: LocalClientsOptions, inFlight = new InFlight()) {
    const { maxRequestBytes, bcryptCost, clock } = options;
    this.#clock = clock;
    this.#member = { methods: clientMethods(store, new Health(), { maxRequestBytes }, new Passwords(bcryptCost)), store, inFlight };
  }

  /** The application itself: nothing is forbidden to it. */
  owner(): Client {
    return this.#open();
  }

  /** As that user, where auth is on: it logs in at its first call. */
  as(auth: AuthOptions): Client {
    return this.#open(auth);
  }

  close(): void {
    for (const client of this.#clients) client.close();
    this.#clients.clear();
  }

  #open(auth?: AuthOptions): Client {
    const dialer = new LocalDialer(this.#member, auth === undefined);
    const options = { endpoints: [LOCAL], ...(auth === undefined ? {} : { auth }) };
    const client = new Client(options, { dialer, ...(this.#clock === undefined ? {} : { clock: this.#clock }) });
    this.#clients.add(client);
    return client;
  }
}
