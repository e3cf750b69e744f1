import assert from 'node:assert/strict';
import { FakeStore } from '../testing/fake-store.js';
import { Health } from './health-service.js';
import { PERMISSIONS, permissionOf } from './permissions.js';
import { clientMethods } from './services.js';

describe('the table of permissions', () => {
  const served = (): string[] => [...clientMethods(new FakeStore(), new Health(), { maxRequestBytes: 1024 }).keys()];

  it('has a row for each method that is served: one without does not start', () => {
    for (const path of served()) assert.ok(permissionOf(path), path);
    assert.throws(() => permissionOf('/etcdserverpb.KV/Nothing'), /no row/);
    assert.throws(() => permissionOf('constructor'), /no row/);
  });

  it('lets anyone call what tells nothing of the store, and nothing else', () => {
    const open = Object.entries(PERMISSIONS).filter(([, row]) => row === 'anyone').map(([path]) => path);
    assert.deepEqual(open, [
      '/etcdserverpb.Auth/Authenticate', '/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch',
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    ]);
  });
});
