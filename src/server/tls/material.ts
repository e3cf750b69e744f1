/**
 * The files that TLS is made of, always the newest ones: they are looked at every second, so that
 * certificates and revocation lists are changed without a restart. What cannot be read or does not
 * fit together, as in the middle of a change, is warned of, and what was good before goes on: a
 * slip with a file stops no member, and lets nobody in who was revoked.
 *
 * At the start it is refused instead (TlsError).
 */

import { X509Certificate } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { MiB } from '../../base/bytes.js';
import type { Clock, Timer } from '../../base/env.js';
import { messageOf } from '../../base/errors.js';
import type { EventSink } from '../../base/events.js';
import { revokedSerials } from './revoked.js';
import { TlsError, type TlsSettings } from './settings.js';

const LOOK_EVERY_MS = 1_000;
/** A file that was changed so lately may be changed again within the same tick of its clock. */
const UNSETTLED_MS = 2_000;
const MAX_FILE_BYTES = 64 * MiB;
const SOON_MS = 7 * 24 * 3_600_000;

const BLOCK = /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** What is good at one time. */
export interface Loaded {
  /** Of the side that is connected to. */
  readonly server: SecureContextOptions;
  /** Of the side that connects. */
  readonly client: SecureContextOptions;
  /** Serial numbers, see `serialOf`. */
  readonly revoked: ReadonlySet<string>;
}

/** What goes by the files, and is told of new ones. */
export interface Reloaded {
  reloaded(): void;
}

interface Seen {
  readonly stamp: string;
  readonly bytes: Buffer;
}

export class TlsMaterial {
  readonly settings: TlsSettings;
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #seen = new Map<string, Seen>();
  readonly #users: Reloaded[] = [];
  #current: Loaded | undefined;
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #lastFault = '';
  /** A file has changed since all were put together. */
  #isNew = true;
  #closed = false;

  private constructor(settings: TlsSettings, clock: Clock, events: EventSink) {
    this.settings = settings;
    this.#clock = clock;
    this.#events = events;
  }

  /** Rejects with TlsError. */
  static async open(settings: TlsSettings, clock: Clock, events: EventSink): Promise<TlsMaterial> {
    const material = new TlsMaterial(settings, clock, events);
    await material.#look();
    material.#arm();
    return material;
  }

  get current(): Loaded {
    return this.#current as Loaded;
  }

  attach(user: Reloaded): void {
    this.#users.push(user);
  }

  /** Looks at the files now; resolves when what is good is in use. */
  async reload(): Promise<void> {
    await this.#looking;
    this.#looking = this.#lookAgain();
    await this.#looking;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.setTimer(LOOK_EVERY_MS, () => void this.reload().then(() => this.#arm()));
  }

  async #lookAgain(): Promise<void> {
    try {
      if (await this.#look()) {
        this.#lastFault = '';
        this.#events.emit({ type: 'tls-reloaded', certFile: this.settings.certFile, revoked: this.current.revoked.size });
        for (const user of this.#users) user.reloaded();
      }
    } catch (error) {
      const why = messageOf(error);
      if (why === this.#lastFault) return;
      this.#lastFault = why;
      this.#events.emit({ type: 'warning', message: 'files of TLS are not used: the ones before go on', data: { why } });
    }
  }

  /** True: there is something new. Rejects with TlsError; the ones before are in use then. */
  async #look(): Promise<boolean> {
    const { certFile, keyFile, clientCertFile, clientKeyFile, caFile, crlFile } = this.settings;
    for (const file of new Set([certFile, keyFile, clientCertFile, clientKeyFile, caFile, crlFile])) {
      if (file !== '' && await this.#read(file)) this.#isNew = true;
    }
    if (!this.#isNew) return false;
    // What does not fit together is looked at again once one of them changes.
    this.#isNew = false;
    const revoked = crlFile === '' ? new Set<string>() : await this.#revoked(crlFile);
    const common = this.#common();
    const server = { ...common, ...this.#pair(certFile, keyFile) };
    const client = { ...common, ...this.#pair(clientCertFile || certFile, clientKeyFile || keyFile) };
    this.#check(server, certFile);
    this.#check(client, clientCertFile || certFile);
    this.#current = { server, client, revoked };
    return true;
  }

  /** True: it is another one than before, or could not be used then. */
  async #read(file: string): Promise<boolean> {
    try {
      const { size, mtimeMs, ctimeMs, ino } = await fs.stat(file);
      const before = this.#seen.get(file);
      const stamp = `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
      const settled = this.#clock.wallNow() - Math.max(mtimeMs, ctimeMs) > UNSETTLED_MS;
      if (before?.stamp === stamp && settled) return false;
      if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes, of at most ${MAX_FILE_BYTES}`);
      const bytes = await fs.readFile(file);
      this.#seen.set(file, { stamp, bytes });
      return before === undefined || !before.bytes.equals(bytes);
    } catch (error) {
      throw new TlsError(file, messageOf(error));
    }
  }

  #bytes(file: string): Buffer {
    return (this.#seen.get(file) as Seen).bytes;
  }

  #common(): SecureContextOptions {
    const { caFile, ciphers, minVersion, maxVersion } = this.settings;
    return { minVersion, maxVersion, ...(ciphers === undefined ? {} : { ciphers }), ...(caFile === '' ? {} : { ca: this.#certificates(caFile) }) };
  }

  #pair(certFile: string, keyFile: string): SecureContextOptions {
    if (certFile === '') return {};
    const [first = ''] = this.#certificates(certFile);
    const until = Date.parse(new X509Certificate(first).validTo);
    const left = until - this.#clock.wallNow();
    if (left < SOON_MS) {
      const message = left < 0 ? 'a certificate has expired: replace its file' : 'a certificate expires soon: replace its file';
      this.#events.emit({ type: 'warning', message, data: { file: certFile, until: new Date(until).toISOString() } });
    }
    return { cert: this.#bytes(certFile), key: this.#bytes(keyFile) };
  }

  /** PEM texts of a file that must have some. */
  #certificates(file: string): string[] {
    const blocks = this.#bytes(file).toString('latin1').match(BLOCK) ?? [];
    if (blocks.length === 0) throw new TlsError(file, 'it holds no certificate (PEM is wanted)');
    try {
      for (const block of blocks) new X509Certificate(block);
    } catch (error) {
      throw new TlsError(file, `a certificate in it does not parse: ${messageOf(error)}`);
    }
    return blocks;
  }

  async #revoked(file: string): Promise<ReadonlySet<string>> {
    try {
      return await revokedSerials(this.#bytes(file));
    } catch (error) {
      throw new TlsError(file, messageOf(error));
    }
  }

  #check(options: SecureContextOptions, certFile: string): void {
    try {
      createSecureContext(options);
    } catch (error) {
      throw new TlsError(certFile || 'TLS', `certificate, key and options do not fit together: ${messageOf(error)}`);
    }
  }
}
