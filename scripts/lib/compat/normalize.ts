/**
 * Answers of two servers made comparable: what must differ (who answered, in which term, ids that
 * the server picks) is replaced by a name of its own, in the order in which it first came up;
 * revisions are told from the one with which the case began. Everything else stays.
 */

const REVISIONS = new Set(['revision', 'create_revision', 'mod_revision', 'compact_revision', 'hash_revision', 'rev']);
/** Of one server and moment. */
const OWN = new Set([
  'cluster_id', 'member_id', 'raft_term', 'version', 'dbSize', 'dbSizeInUse', 'raftIndex', 'raftTerm', 'raftAppliedIndex', 'storageVersion',
  'dbSizeQuota', 'remaining_bytes', 'blob', 'hash', 'token', 'name', 'peerURLs', 'clientURLs',
]);
/** In an order that etcd leaves open: by hash, or as ids fell out. */
const UNORDERED = new Set(['leases', 'keys', 'members']);
/** Where these words name what the caller chose. */
const CHOSEN = new Set(['version:KeyValue', 'name:Auth', 'version:Downgrade', 'name:Election']);

export class Normalizer {
  /** The revision of the store when the case began. */
  readonly #base: bigint;
  readonly #ids = new Map<string, string>();
  readonly #given = new Set<string>();
  /** `KeyValue`, `Auth`: whose words these are. */
  readonly #service: string;
  #isExact = false;

  constructor(base: bigint, service: string) {
    this.#base = base;
    this.#service = service;
  }

  /** An id that the caller chose: it is told as it is. */
  given(id: string): void {
    this.#given.add(id);
  }

  /** The same, with what is empty and in the order that it has: what was written as JSON. */
  exactly(value: unknown): unknown {
    this.#isExact = true;
    try {
      return this.of(value);
    } finally {
      this.#isExact = false;
    }
  }

  /** Field by field, without what is empty, in the order of the names. */
  of(value: unknown, field = '', within = this.#service): unknown {
    if (Buffer.isBuffer(value)) return OWN.has(field) ? '*' : printable(value);
    if (Array.isArray(value) && UNORDERED.has(field)) return value.map((item) => JSON.stringify(this.of(item, field, within))).sort();
    if (Array.isArray(value)) return value.length > 0 && OWN.has(field) && !this.#isChosen(field, within) ? '*' : value.map((item) => this.of(item, field, within));
    if (typeof value === 'object' && value !== null) return this.#message(value, field);
    if (isEmpty(value)) return this.#isExact ? value : undefined;
    if (REVISIONS.has(field)) return this.#revision(String(value));
    if (field === 'ID' || field === 'lease' || field === 'leader' || field === 'memberID') return this.#id(String(value));
    if (OWN.has(field) && !this.#isChosen(field, within)) return '*';
    // Go's text form of a message has one blank or two, as its build fell out.
    return field === 'errors' ? String(value).replace(/memberID:\d+ +/, 'memberID:* ') : value;
  }

  #message(value: object, field: string): unknown {
    const within = field === 'kv' || field === 'kvs' || field === 'prev_kv' || field === 'prev_kvs' ? 'KeyValue' : this.#service;
    const out: Record<string, unknown> = {};
    const names = Object.keys(value);
    for (const name of this.#isExact ? names : names.sort()) {
      const told = this.of((value as Record<string, unknown>)[name], name, within);
      if (told !== undefined && (this.#isExact || !(Array.isArray(told) && told.length === 0))) out[name] = told;
    }
    const { TTL, grantedTTL } = out;
    // Seconds that are left: some may have passed.
    if (grantedTTL !== undefined && Number(grantedTTL) - Number(TTL) <= 3) out['TTL'] = 'nearly all of it';
    return out;
  }

  #isChosen(field: string, within: string): boolean {
    return CHOSEN.has(`${field}:${within}`);
  }

  #revision(text: string): string {
    const from = BigInt(text) - this.#base;
    return from < 0n ? `base${from}` : `base+${from}`;
  }

  #id(id: string): string {
    if (this.#given.has(id)) return id;
    let name = this.#ids.get(id);
    if (name === undefined) this.#ids.set(id, (name = `id#${this.#ids.size + 1}`));
    return name;
  }
}

function isEmpty(value: unknown): boolean {
  return value === '' || value === '0' || value === 0 || value === false || value === undefined || value === null;
}

function printable(bytes: Buffer): string | undefined {
  if (bytes.length === 0) return undefined;
  const text = bytes.toString('latin1').replace(/[^ -~]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return text.length > 80 ? `${text.slice(0, 60)}... (${bytes.length} bytes)` : text;
}
