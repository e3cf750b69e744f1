import assert from 'node:assert/strict';
import { listenAddress } from './listen-address.js';

describe('where a port listens', () => {
  it('is what etcd takes a URL for', () => {
    assert.deepEqual(listenAddress('http://10.0.0.1:2379'), { text: '10.0.0.1:2379', options: { host: '10.0.0.1', port: 2379 } });
    assert.deepEqual(listenAddress('http://[::1]:2379'), { text: '[::1]:2379', options: { host: '::1', port: 2379 } });
    assert.deepEqual(listenAddress('unix://localhost:2379').options, { path: 'localhost:2379' });
    assert.deepEqual(listenAddress('unix:///run/kintsugi.sock').options, { path: '/run/kintsugi.sock' });
  });
});
