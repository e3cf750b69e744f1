/** TLS of one member, as its flags say: its files read, and made where it makes its own. */

import { join } from 'node:path';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import { ClientTls } from './client-tls.js';
import { TlsMaterial } from './material.js';
import { hostsOf, ownCertificate } from './self-signed.js';
import { ServerTls } from './server-tls.js';
import type { TlsSettings } from './settings.js';

export interface OpenParts {
  readonly settings: TlsSettings;
  /** Where a certificate of its own is kept that the member makes for these URLs. */
  readonly own?: { readonly dir: string; readonly urls: readonly string[]; readonly days: number } | undefined;
  readonly clock: Clock;
  readonly events: EventSink;
}

/** TLS of a port, and of connections to others of its kind. */
export class PortTls {
  readonly server: ServerTls;
  readonly client: ClientTls;
  readonly #material: TlsMaterial;

  private constructor(material: TlsMaterial, clock: Clock, events: EventSink) {
    this.#material = material;
    this.server = new ServerTls(material, clock, events);
    this.client = new ClientTls(material);
  }

  /** Rejects with TlsError, and as the file system does. */
  static async open({ settings, own, clock, events }: OpenParts): Promise<PortTls> {
    const files = own === undefined ? {} : await ownCertificate(own.dir, hostsOf(own.urls), own.days);
    return new PortTls(await TlsMaterial.open({ ...settings, ...files }, clock, events), clock, events);
  }

  /** See {@link TlsMaterial.reload}. */
  reload(): Promise<void> {
    return this.#material.reload();
  }

  /** Looks at the files no more. */
  close(): void {
    this.#material.close();
  }
}

export const fixturesOf = (dataDir: string, kind: 'client' | 'peer'): string => join(dataDir, 'fixtures', kind);
