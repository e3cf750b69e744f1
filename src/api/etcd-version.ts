/** Whose API is served. */
export const ETCD_VERSION = '3.7.0';
