import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { clientPackage, serviceMethods } from '../../api/protos/protos.js';
import { Metrics } from '../../observability/metrics.js';
import { RpcStats } from '../../observability/rpc-stats.js';
import { FakeStore } from '../testing/fake-store.js';
import { Health } from './health-service.js';
import { clientMethods } from './services.js';
import { linksIn, ROOT, rowsOf } from './testing/compatibility-page.js';

/**
 * `docs/etcd-compatibility.md` says what is served of etcd's API. It is held against what is served
 * and against the `.proto` files, so that it cannot say less or more.
 */
const SERVICES = /^(etcdserverpb|v3lockpb|v3electionpb)\./;

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
      const links = linksIn(tests);
      assert.equal(links.length > 0, state !== 'absent', `${name} has ${links.length} tests`);
      for (const path of links) assert.ok(existsSync(ROOT + path), `${name}: ${path}`);
    }
  });

  it('says of each metric of etcd whether it is served, as it is', async () => {
    const store = new FakeStore();
    const metrics = new Metrics();
    metrics.attach(store, new RpcStats());
    const served = [...(await metrics.page()).matchAll(/^# TYPE ((?:etcd|grpc|os_fd)_\S+)/gm)].map(([, name]) => name as string);
    const told = rowsOf('Metrics').flatMap(({ name, state, rest: [how = ''] }) => {
      assert.ok(['as etcd', 'different', 'absent'].includes(state), `${name} is "${state}"`);
      assert.equal(how !== '', state !== 'as etcd', `${name}: "${how}"`);
      return name.split(', ').map((each) => ({ name: each, isServed: state !== 'absent' }));
    });
    const names = told.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, 'each is told once');
    assert.deepEqual(told.filter(({ isServed }) => isServed).map(({ name }) => name).sort(), served.sort());
    assert.ok(names.length > 110, 'and those that are absent are told too');
  });
});
