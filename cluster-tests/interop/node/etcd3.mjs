// Drives an etcd endpoint with npm etcd3 and prints what it found as JSON.
import { createRequire } from 'node:module';
import { Etcd3 } from 'etcd3';
import { ca, endpoint, expect, prefix, report, small } from './checks.mjs';

const { version } = createRequire(import.meta.url)('etcd3/package.json');
const client = new Etcd3({ hosts: endpoint, ...(ca === undefined ? {} : { credentials: { rootCertificate: ca } }) });
const own = client.namespace(prefix);

await report(`etcd3 ${version}`, {
  'put and get keep every byte': async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await own.put('bytes').value(all);
    expect(all.equals(await own.get('bytes').buffer()), 'other bytes came back');
  },
  'range with limit and order': async () => {
    for (const n of [3, 1, 2]) await own.put(`few/${n}`).value(`value ${n}`);
    const keys = await own.getAll().prefix('few/').sort('Key', 'Descend').limit(2).keys();
    expect(keys.join() === 'few/3,few/2', keys.join());
    expect((await own.getAll().prefix('few/').count()) >= 3, 'another count');
  },
  'txn takes either branch': async () => {
    await own.put('txn').value('a');
    const swap = () => own.if('txn', 'Value', '==', 'a').then(own.put('txn').value('b')).else(own.get('txn')).commit();
    expect((await swap()).succeeded && !(await swap()).succeeded, 'another branch');
  },
  'delete says what was there': async () => {
    await own.put('gone/a').value('1');
    const kvs = await own.delete().prefix('gone/').getPrevious();
    expect(kvs.length === 1 && kvs[0].value.toString() === '1', 'another answer');
  },
  'a large value, both ways': async () => {
    const value = Buffer.alloc(small ? 40 << 10 : 1 << 20, '0123456789abcdef');
    await own.put('large').value(value);
    expect(value.equals(await own.get('large').buffer()), 'other bytes came back');
  },
  'many calls at once': async () => {
    const names = Array.from({ length: small ? 20 : 500 }, (_, n) => `crowd/${n}`);
    await Promise.all(names.map((name) => own.put(name).value(name)));
    const values = await Promise.all(names.map((name) => own.get(name).string()));
    expect(values.join() === names.join(), 'other values');
  },
  'errors in etcd\'s words': async () => {
    const told = await own.get('bytes').revision(1_000_000_000).string().then(() => 'none', String);
    expect(told.includes('required revision is a future revision'), told);
  },
});
