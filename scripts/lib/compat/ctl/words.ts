/**
 * What etcdctl printed, in words that can be compared between clusters. What it prints of one
 * cluster alone has a name in its place: URLs by whose they are, ids in the order in which they
 * first came up; sizes, times, hashes and versions of servers have no name but their kind.
 */

/** Of one server and moment, in `-w json`. */
const JSON_OWN =
  /"(cluster_id|member_id|leader|raft_term|raftTerm|raftIndex|raftAppliedIndex|dbSize|dbSizeInUse|dbSizeQuota|hash|memberID|ttl|TTL)":-?\d+/g;
/** The same in `-w fields`, where `--hex` makes some of them hexadecimal. */
const FIELDS_OWN =
  /"(ClusterID|MemberID|Leader|RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|DBSizeQuota|Hash|TTL)" : -?[0-9a-f]+\b/g;

export class Words {
  /** What has a name for as long as the cluster lives. */
  readonly #lasting: ReadonlyMap<string, string>;
  readonly #names = new Map<string, string>();

  constructor(lasting: ReadonlyMap<string, string>) {
    this.#lasting = lasting;
  }

  /** Ids are counted from one again. */
  forget(): void {
    this.#names.clear();
  }

  of(text: string): string {
    return unboxed(text)
      .replace(/\/[^\s"]*\/\.data\/[^\s"/]+\//g, 'DIR/')
      .replace(/(https?|unixs?):\/\/127\.0\.0\.1:\d+|127\.0\.0\.1:\d+/g, (url) => this.#url(url))
      .replace(/"(ID|id)":"?(\d+)"?/g, (_, word: string, id: string) => `"${word}":${this.#id(BigInt(id).toString(16))}`)
      .replace(/"(lease|Lease)"( ?: ?)([1-9]\d{6,})/g, (_, word: string, colon: string, id: string) => `"${word}"${colon}${this.#id(BigInt(id).toString(16))}`)
      .replace(JSON_OWN, '"$1":*')
      .replace(FIELDS_OWN, '"$1" : *')
      .replace(/"(MemberID|ID)" : (\d+)/g, (_, word: string, id: string) => `"${word}" : ${this.#id(BigInt(id).toString(16))}`)
      .replace(/"(version|storageVersion)":"\d+\.\d+\.\d+"/g, '"$1":*')
      .replace(/"(Version|StorageVersion)" : "\d+\.\d+\.\d+"/g, '"$1" : *')
      .replace(/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, 'TIME')
      .replace(/\b\d+(\.\d+)? ?([kMG]?B|MiB|KiB)\b/g, 'SIZE')
      .replace(/\bmemberID:(\d+)/g, (_, id: string) => `memberID:${this.#id(BigInt(id).toString(16))}`)
      .replace(/\b\d{8,10}\b/g, 'HASH')
      .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{11,16}\b/g, (id) => this.#id(id))
      // It fills up what is shorter than 16 digits.
      .replace(/ +(?=id#)/g, ' ');
  }

  #url(url: string): string {
    const host = url.replace(/^[a-z]+:\/\//, '');
    const scheme = url.slice(0, url.length - host.length);
    return scheme + (this.#lasting.get(host) ?? this.#name('url', host));
  }

  /** In hexadecimal; some forms of output fill it up with zeros to 16 digits. */
  #id(id: string): string {
    return this.#name('id', id.replace(/^0+(?=.)/, ''));
  }

  #name(kind: string, what: string): string {
    let name = this.#names.get(what);
    if (name === undefined) this.#names.set(what, (name = `${kind}#${[...this.#names.values()].filter((each) => each.startsWith(kind)).length + 1}`));
    return name;
  }
}

/** Tables are as wide as the longest id and URL: the cells alone, a row a line. */
function unboxed(text: string): string {
  if (!/^[+┌]/m.test(text)) return text;
  return text.split('\n').filter((line) => !/^[+┌├└]/.test(line)).map((line) => (/^[|│]/.test(line) ? line.replace(/[ |│]+/g, ' | ').trim() : line)).join('\n');
}

/**
 * Lines that the client library writes for developers differ with every version of it, and where
 * it panics the addresses.
 */
export function withoutLogs(text: string): string {
  return text.replace(/\n\ngoroutine [^]*/, '').split('\n').filter((line) => !/^\{"level":"(warn|info|debug|error)"|^stty: |^\d{4}-\d\d-\d\d [\d:.]+ [DEIW] \| /.test(line)).join('\n');
}

/**
 * The members of a list in the order of their names: the servers tell them in that of their ids,
 * which are hashes of URLs.
 */
export function byName(text: string): string {
  const nameOf = (member: string): string => /\bn\d\b|\blate\b/.exec(member)?.[0] ?? '';
  if (text.startsWith('{')) {
    // Ids are more than a number of JavaScript holds.
    const told = JSON.parse(text.replace(/:(\d{16,})/g, ':"$1"')) as { members?: { name?: string }[] };
    told.members?.sort((a, b) => (a.name ?? '').localeCompare(b.name ?? ''));
    return JSON.stringify(told).replace(/:"(\d{16,})"/g, ':$1');
  }
  const members = text.includes('"ID" : ') ? text.split(/\n(?="ID" : )/).map((each) => each.trimEnd()) : text.split('\n');
  return members.sort((a, b) => nameOf(a).localeCompare(nameOf(b))).join('\n');
}

/** Leases of a list by their ids: the order is left open. Of the last line its end was cut off. */
export const byLease = (text: string): string => text.split('\n').map((line) => line.trimEnd()).sort().join('\n');

/** History comes in any number of messages of whole revisions: one for each event. */
export function byEvent(text: string): string {
  return text.split('\n').flatMap((line) => {
    if (!line.startsWith('{')) return [line];
    const { Events = [], ...rest } = JSON.parse(line) as { Events?: object[]; Header?: object };
    return Events.length === 0 ? [line] : Events.map((event) => JSON.stringify({ ...rest, Header: undefined, Events: [event] }));
  }).join('\n');
}

/** Numbers of one moment: only what stands around them. */
export const shapeOf = (text: string): string => text.replace(/\b\d+(\.\d+)? [kMGT]?B\b/g, 'SIZE').replace(/\b\d+(\.\d+)*\b/g, '*');

/** What is said again and again as time goes by. */
export const once = (text: string): string => text.split('\n').filter((line, i, all) => line !== all[i - 1]).join('\n');
