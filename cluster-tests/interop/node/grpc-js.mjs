// Drives an etcd endpoint with grpc-js and prints what it found as JSON.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ca, endpoint, expect, prefix, report, small } from './checks.mjs';

const { version } = createRequire(import.meta.url)('@grpc/grpc-js/package.json');
const proto = fileURLToPath(new URL('../../../proto', import.meta.url));
const loaded = grpc.loadPackageDefinition(loadSync(['etcdserverpb/rpc.proto', 'grpc/health/v1/health.proto'], { includeDirs: [proto], keepCase: true, longs: Number, enums: String }));
const credentials = ca === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(ca);
const address = endpoint.split('://')[1];
const settings = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const kv = new loaded.etcdserverpb.KV(address, credentials, settings);
const health = new loaded.grpc.health.v1.Health(address, credentials, settings);

const key = (name) => Buffer.from(prefix + name);
const call = (on, method, request, { metadata = new grpc.Metadata(), deadlineMs = 20_000, started = () => undefined } = {}) =>
  new Promise((resolve, reject) => {
    started(on[method](request, metadata, { deadline: Date.now() + deadlineMs }, (error, answer) => (error ? reject(error) : resolve(answer))));
  });
const put = (name, value, options) => call(kv, 'Put', { key: key(name), value: Buffer.from(value) }, options);
const get = async (name, options) => (await call(kv, 'Range', { key: key(name) }, options)).kvs[0]?.value;
const codeOf = (promise) => promise.then(() => [0, ''], (error) => [error.code, error.details]);

await report(`grpc-js ${version}`, {
  'put and get keep every byte': async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await put('bytes', all);
    expect(all.equals(await get('bytes')), 'other bytes came back');
  },
  'txn takes either branch': async () => {
    await put('txn', 'a');
    const compare = [{ result: 'EQUAL', target: 'VALUE', key: key('txn'), value: Buffer.from('a') }];
    const request = { compare, success: [{ request_put: { key: key('txn'), value: Buffer.from('b') } }], failure: [{ request_range: { key: key('txn') } }] };
    expect((await call(kv, 'Txn', request)).succeeded && !(await call(kv, 'Txn', request)).succeeded, 'another branch');
  },
  'a large value, both ways': async () => {
    const value = Buffer.alloc(small ? 40 << 10 : 1 << 20, '0123456789abcdef');
    await put('large', value);
    expect(value.equals(await get('large')), 'other bytes came back');
  },
  'a request beyond the limit is refused': async () => {
    if (small) return;
    const [code, words] = await codeOf(put('too-large', Buffer.alloc(1600 << 10)));
    expect(code === grpc.status.INVALID_ARGUMENT && words.includes('request is too large'), `${code} ${words}`);
    const [more, said] = await codeOf(put('too-large', Buffer.alloc(8 << 20)));
    expect(more === grpc.status.RESOURCE_EXHAUSTED && said.includes('larger than max'), `${more} ${said}`);
    await get('bytes');
  },
  'many calls at once': async () => {
    const names = Array.from({ length: small ? 20 : 500 }, (_, n) => `many/${n}`);
    await Promise.all(names.map((name) => put(name, name)));
    for (const [n, value] of (await Promise.all(names.map((name) => get(name)))).entries()) expect(value.toString() === names[n], names[n]);
  },
  'calls that are cancelled leave the connection well': async () => {
    for (let n = 0; n < (small ? 5 : 100); n++) {
      const [code] = await codeOf(get('large', { started: (one) => (n % 2 === 0 ? one.cancel() : setImmediate(() => one.cancel())) }));
      expect(code === 0 || code === grpc.status.CANCELLED, `code ${code}`);
    }
    await get('bytes');
  },
  'deadlines': async () => {
    for (const deadlineMs of [0, 1, 3]) {
      const [code] = await codeOf(get('large', { deadlineMs }));
      // A server that cannot say more resets the stream, which grpc-js calls CANCELLED.
      expect([0, grpc.status.DEADLINE_EXCEEDED, grpc.status.CANCELLED].includes(code), `code ${code}`);
    }
    await get('bytes');
  },
  'metadata of any kind and size': async () => {
    const metadata = new grpc.Metadata();
    metadata.set('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    metadata.set('key-bin', Buffer.from([0, 1, 255, 254]));
    metadata.set('long', 'm'.repeat(3000));
    metadata.add('twice', '1');
    metadata.add('twice', '2');
    for (let n = 0; n < 100; n++) metadata.set(`name-${n}`, `value-${n}`);
    for (let n = 0; n < 3; n++) await get('bytes', { metadata });
  },
  'errors in etcd\'s words': async () => {
    const [code, words] = await codeOf(call(kv, 'Range', { key: key('bytes'), revision: 2 ** 40 }));
    expect(code === grpc.status.OUT_OF_RANGE && words.includes('future revision'), `${code} ${words}`);
    const [empty, said] = await codeOf(call(kv, 'Put', { value: Buffer.from('x') }));
    expect(empty === grpc.status.INVALID_ARGUMENT && said === 'etcdserver: key is not provided', `${empty} ${said}`);
  },
  'unknown methods': async () => {
    const bytes = (value) => value;
    const [code] = await codeOf(new Promise((resolve, reject) => {
      kv.makeUnaryRequest('/no.Such/Method', bytes, bytes, Buffer.alloc(0), (error, answer) => (error ? reject(error) : resolve(answer)));
    }));
    expect(code === grpc.status.UNIMPLEMENTED, `code ${code}`);
  },
  'a stream that is cancelled': async () => {
    const watch = health.Watch({ service: '' });
    const ended = new Promise((resolve) => watch.on('error', resolve));
    const first = await new Promise((resolve) => watch.once('data', resolve));
    expect(first.status === 1 || first.status === 'SERVING', JSON.stringify(first));
    watch.cancel();
    expect((await ended).code === grpc.status.CANCELLED, 'another end');
  },
});
