import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { clientPackage, serviceMethods } from '../../api/protos/protos.js';
import { FakeStore } from '../testing/fake-store.js';
import { Health } from './health-service.js';
import { clientMethods } from './services.js';

/**
 * `docs/etcd-compatibility.md` says what is served of etcd's API. It is held against what is served
 * and against the `.proto` files, so that it cannot say less or more.
 */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(`${ROOT}docs/etcd-compatibility.md`, 'utf8');
const SERVICES = /^(etcdserverpb|v3lockpb|v3electionpb)\./;

interface Row {
  readonly name: string;
  readonly state: string;
  readonly rest: readonly string[];
}

/** The rows of the tables whose first cell is a name in backquotes. */
function rowsOf(heading: string): Row[] {
  const section = new RegExp(`\\n## ${heading}\\n([^]*?)(?=\\n## |$)`).exec(PAGE)?.[1] ?? '';
  return section.split('\n').filter((line) => line.startsWith('| `')).map((line) => {
    const [name = '', state = '', ...rest] = line.split('|').slice(1, -1).map((cell) => cell.trim());
    return { name: name.replaceAll('`', ''), state, rest };
  });
}

function servicesInProtos(): string[] {
  return Object.keys(clientPackage()).filter((name) => SERVICES.test(name) && !('format' in (clientPackage()[name] as object)));
}

describe('docs/etcd-compatibility.md', () => {
  const rows = rowsOf('Methods');

  it('has one row for each method of etcd, and none besides', () => {
    const named = rows.map(({ name }) => name).sort();
    const all = servicesInProtos().flatMap((service) => Object.keys(serviceMethods(service)).map((method) => `${service}/${method}`));
    assert.deepEqual(named, all.map((name) => name.replace('etcdserverpb.', '')).sort());
  });

  it('says of each method whether it is served, as it is', () => {
    const served = clientMethods(new FakeStore(), new Health(), { maxRequestBytes: 1024 });
    for (const { name, state } of rows) {
      assert.ok(['as etcd', 'different', 'absent'].includes(state), `${name} is "${state}"`);
      const path = `/${SERVICES.test(name) ? '' : 'etcdserverpb.'}${name}`;
      assert.equal(served.has(path), state !== 'absent', `${name} is said to be ${state}`);
    }
  });

  it('says of what is different how, and names tests that there are', () => {
    for (const { name, state, rest: [how = '', tests = ''] } of rows) {
      assert.equal(how !== '', state !== 'as etcd', `${name}: "${how}"`);
      const links = [...tests.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path]) => path as string);
      assert.equal(links.length > 0, state !== 'absent', `${name} has ${links.length} tests`);
      for (const path of links) assert.ok(existsSync(ROOT + path), `${name}: ${path}`);
    }
  });

  it('names only fields that there are', () => {
    for (const { name } of rowsOf('Fields')) {
      const [message = '', field = ''] = name.split('.');
      const type = ['etcdserverpb', 'mvccpb', 'authpb'].map((at) => clientPackage()[`${at}.${message}`]).find((found) => found !== undefined);
      const { field: fields } = (type as unknown as { type: { field: { name: string }[] } } | undefined)?.type ?? { field: [] };
      assert.ok(fields.some((each) => each.name === field), name);
    }
  });
});
