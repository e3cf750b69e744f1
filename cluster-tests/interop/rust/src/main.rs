//! Drives an etcd endpoint with tonic and prints what it found as JSON. The messages have the
//! fields that are needed here.

use std::time::Duration;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{AsciiMetadataKey, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(bytes, tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Range {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(bytes, tag = "2")]
    range_end: Vec<u8>,
    #[prost(int64, tag = "3")]
    limit: i64,
    #[prost(int64, tag = "4")]
    revision: i64,
    #[prost(int32, tag = "5")]
    sort_order: i32,
    #[prost(bool, tag = "7")]
    serializable: bool,
    #[prost(bool, tag = "8")]
    keys_only: bool,
    #[prost(bool, tag = "9")]
    count_only: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyValue {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(bytes, tag = "5")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Kvs {
    #[prost(message, repeated, tag = "2")]
    kvs: Vec<KeyValue>,
    #[prost(bool, tag = "3")]
    more: bool,
    #[prost(int64, tag = "4")]
    count: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Delete {
    #[prost(bytes, tag = "1")]
    key: Vec<u8>,
    #[prost(bytes, tag = "2")]
    range_end: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Deleted {
    #[prost(int64, tag = "2")]
    deleted: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Compare {
    #[prost(int32, tag = "2")]
    target: i32,
    #[prost(bytes, tag = "3")]
    key: Vec<u8>,
    #[prost(bytes, tag = "7")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Op {
    #[prost(message, optional, tag = "1")]
    range: Option<Range>,
    #[prost(message, optional, tag = "2")]
    put: Option<Put>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Txn {
    #[prost(message, repeated, tag = "1")]
    compare: Vec<Compare>,
    #[prost(message, repeated, tag = "2")]
    success: Vec<Op>,
    #[prost(message, repeated, tag = "3")]
    failure: Vec<Op>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Committed {
    #[prost(bool, tag = "2")]
    succeeded: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Health {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Nothing {}

type Outcome = Result<(), String>;

#[derive(Clone)]
struct Client {
    channel: Channel,
    prefix: String,
    small: bool,
}

fn expect(ok: bool, message: String) -> Outcome {
    if ok { Ok(()) } else { Err(message) }
}

fn told(status: Status) -> String {
    format!("{:?}: {}", status.code(), status.message())
}

impl Client {
    fn key(&self, name: &str) -> Vec<u8> {
        format!("{}{}", self.prefix, name).into_bytes()
    }

    async fn call<Q, A>(&self, path: &'static str, request: Request<Q>, gzip: bool) -> Result<A, Status>
    where
        Q: prost::Message + Send + Sync + 'static,
        A: prost::Message + Default + Send + Sync + 'static,
    {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        if gzip {
            grpc = grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let codec: ProstCodec<Q, A> = ProstCodec::default();
        Ok(grpc.unary(request, path.parse().unwrap(), codec).await?.into_inner())
    }

    async fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Result<Nothing, Status> {
        self.call("/etcdserverpb.KV/Put", Request::new(Put { key, value }), false).await
    }

    async fn get(&self, key: Vec<u8>) -> Result<Vec<u8>, Status> {
        let answer: Kvs = self.call("/etcdserverpb.KV/Range", Request::new(Range { key, ..Default::default() }), false).await?;
        Ok(answer.kvs.first().map(|kv| kv.value.clone()).unwrap_or_default())
    }

    async fn bytes(&self) -> Outcome {
        let all: Vec<u8> = (0..=255).collect();
        self.put(self.key("bytes"), all.clone()).await.map_err(told)?;
        expect(self.get(self.key("bytes")).await.map_err(told)? == all, "other bytes came back".into())
    }

    async fn ranges(&self) -> Outcome {
        for n in 0..5 {
            self.put(self.key(&format!("range/{n}")), b"v".to_vec()).await.map_err(told)?;
        }
        let all = Range { key: self.key("range/"), range_end: self.key("range0"), ..Default::default() };
        let some = Range { limit: 2, sort_order: 2, keys_only: true, ..all.clone() };
        let found: Kvs = self.call("/etcdserverpb.KV/Range", Request::new(some), false).await.map_err(told)?;
        expect(found.kvs.len() == 2 && found.more && found.kvs[0].key == self.key("range/4"), format!("{found:?}"))?;
        let count = Range { count_only: true, serializable: true, ..all };
        let counted: Kvs = self.call("/etcdserverpb.KV/Range", Request::new(count), false).await.map_err(told)?;
        expect(counted.count == 5, format!("{counted:?}"))
    }

    async fn txns(&self) -> Outcome {
        let key = self.key("txn");
        self.put(key.clone(), b"a".to_vec()).await.map_err(told)?;
        for want in [true, false] {
            let txn = Txn {
                compare: vec![Compare { target: 3, key: key.clone(), value: b"a".to_vec() }],
                success: vec![Op { range: None, put: Some(Put { key: key.clone(), value: b"b".to_vec() }) }],
                failure: vec![Op { range: Some(Range { key: key.clone(), ..Default::default() }), put: None }],
            };
            let done: Committed = self.call("/etcdserverpb.KV/Txn", Request::new(txn), false).await.map_err(told)?;
            expect(done.succeeded == want, format!("{done:?}"))?;
        }
        Ok(())
    }

    async fn deletes(&self) -> Outcome {
        for name in ["gone/a", "gone/b"] {
            self.put(self.key(name), b"1".to_vec()).await.map_err(told)?;
        }
        let range = Delete { key: self.key("gone/"), range_end: self.key("gone0") };
        let done: Deleted = self.call("/etcdserverpb.KV/DeleteRange", Request::new(range), false).await.map_err(told)?;
        expect(done.deleted == 2, format!("{done:?}"))
    }

    async fn large(&self) -> Outcome {
        let size = if self.small { 40 << 10 } else { 1 << 20 };
        let value: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        self.put(self.key("large"), value.clone()).await.map_err(told)?;
        expect(self.get(self.key("large")).await.map_err(told)? == value, "other bytes came back".into())
    }

    async fn too_large(&self) -> Outcome {
        if self.small {
            return Ok(());
        }
        let refused = self.put(self.key("too-large"), vec![0; 1600 << 10]).await.err().map(told).unwrap_or_default();
        expect(refused.contains("request is too large"), refused)?;
        let refused = self.put(self.key("too-large"), vec![0; 8 << 20]).await.err().map(told).unwrap_or_default();
        expect(refused.contains("larger than max"), refused)?;
        self.get(self.key("bytes")).await.map(|_| ()).map_err(told)
    }

    async fn compressed(&self) -> Outcome {
        let value = b"compress me ".repeat(1000);
        let put = Put { key: self.key("compressed"), value: value.clone() };
        let _: Nothing = self.call("/etcdserverpb.KV/Put", Request::new(put), true).await.map_err(told)?;
        expect(self.get(self.key("compressed")).await.map_err(told)? == value, "other bytes came back".into())
    }

    async fn many(&self) -> Outcome {
        let tasks: Vec<_> = (0..if self.small { 20 } else { 500 })
            .map(|n| {
                let client = self.clone();
                tokio::spawn(async move {
                    let key = client.key(&format!("many/{n}"));
                    let value = n.to_string().into_bytes();
                    client.put(key.clone(), value.clone()).await.map_err(told)?;
                    expect(client.get(key).await.map_err(told)? == value, format!("call {n}"))
                })
            })
            .collect();
        for task in tasks {
            task.await.map_err(|error| error.to_string())??;
        }
        Ok(())
    }

    async fn cancelled(&self) -> Outcome {
        for n in 0..if self.small { 5 } else { 100 } {
            let _ = tokio::time::timeout(Duration::from_micros(n * 10), self.get(self.key("large"))).await;
        }
        self.get(self.key("bytes")).await.map(|_| ()).map_err(told)
    }

    async fn deadlines(&self) -> Outcome {
        for micros in [1, 50, 1000] {
            let mut request = Request::new(Range { key: self.key("large"), ..Default::default() });
            request.set_timeout(Duration::from_micros(micros));
            let answer: Result<Kvs, Status> = self.call("/etcdserverpb.KV/Range", request, false).await;
            // tonic calls a deadline that passes on its own side a cancellation.
            let fine = answer.as_ref().err().map_or(true, |status| matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled));
            expect(fine, format!("{micros} us: {answer:?}"))?;
        }
        self.get(self.key("bytes")).await.map(|_| ()).map_err(told)
    }

    async fn metadata(&self) -> Outcome {
        for count in [0, 20, 140] {
            let mut request = Request::new(Range { key: self.key("bytes"), ..Default::default() });
            let metadata = request.metadata_mut();
            metadata.insert("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap());
            metadata.insert_bin("key-bin", MetadataValue::from_bytes(&[0, 1, 255, 254]));
            metadata.insert("long", "m".repeat(3000).parse().unwrap());
            metadata.append("twice", "1".parse().unwrap());
            metadata.append("twice", "2".parse().unwrap());
            for n in 0..count {
                let name = AsciiMetadataKey::from_bytes(format!("name-{n}").as_bytes()).unwrap();
                metadata.insert(name, format!("value-{count}-{n}").parse().unwrap());
            }
            let _: Kvs = self.call("/etcdserverpb.KV/Range", request, false).await.map_err(told)?;
        }
        Ok(())
    }

    async fn words(&self) -> Outcome {
        let future = Range { key: self.key("bytes"), revision: 1 << 40, ..Default::default() };
        let answer: Result<Kvs, Status> = self.call("/etcdserverpb.KV/Range", Request::new(future), false).await;
        let said = answer.err().map(told).unwrap_or_default();
        expect(said.starts_with("OutOfRange") && said.contains("future revision"), said)?;
        let said = self.put(Vec::new(), b"x".to_vec()).await.err().map(told).unwrap_or_default();
        expect(said == "InvalidArgument: etcdserver: key is not provided", said)
    }

    async fn unknown(&self) -> Outcome {
        let answer: Result<Nothing, Status> = self.call("/no.Such/Method", Request::new(Nothing {}), false).await;
        expect(answer.as_ref().err().map(Status::code) == Some(Code::Unimplemented), format!("{answer:?}"))
    }

    async fn watch(&self) -> Outcome {
        let mut grpc = Grpc::new(self.channel.clone());
        grpc.ready().await.map_err(|error| error.to_string())?;
        let codec: ProstCodec<Nothing, Health> = ProstCodec::default();
        let path = "/grpc.health.v1.Health/Watch".parse().unwrap();
        let mut answers = grpc.server_streaming(Request::new(Nothing {}), path, codec).await.map_err(told)?.into_inner();
        let first = answers.message().await.map_err(told)?;
        expect(first == Some(Health { status: 1 }), format!("{first:?}"))?;
        drop(answers);
        self.get(self.key("bytes")).await.map(|_| ()).map_err(told)
    }
}

async fn connect(endpoint: &str, ca: Option<String>) -> Result<Channel, Box<dyn std::error::Error>> {
    let mut to = Endpoint::from_shared(endpoint.to_string())?;
    if let Some(file) = ca {
        to = to.tls_config(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(std::fs::read(file)?)))?;
    }
    Ok(to.connect().await?)
}

#[tokio::main]
async fn main() {
    let (mut endpoint, mut ca, mut prefix, mut small) = ("http://127.0.0.1:2379".to_string(), None, "rust/".to_string(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        match flag.as_str() {
            "--small" => small = true,
            "--endpoint" => endpoint = arguments.next().unwrap(),
            "--ca" => ca = arguments.next(),
            _ => prefix = arguments.next().unwrap(),
        }
    }
    let client = Client { channel: connect(&endpoint, ca).await.unwrap(), prefix, small };
    let outcomes = [
        ("put and get keep every byte", client.bytes().await),
        ("range with limit, order, keys only and count only", client.ranges().await),
        ("txn takes either branch", client.txns().await),
        ("delete says what was there", client.deletes().await),
        ("a large value, both ways", client.large().await),
        ("a request beyond the limit is refused", client.too_large().await),
        ("compressed requests", client.compressed().await),
        ("many calls at once", client.many().await),
        ("calls that are cancelled leave the connection well", client.cancelled().await),
        ("deadlines", client.deadlines().await),
        ("metadata of any kind and size", client.metadata().await),
        ("errors in etcd's words", client.words().await),
        ("unknown methods", client.unknown().await),
        ("a stream that is cancelled", client.watch().await),
    ];
    let failed = outcomes.iter().any(|(_, outcome)| outcome.is_err());
    let checks: Vec<String> = outcomes
        .iter()
        .map(|(name, outcome)| {
            let error = outcome.as_ref().err().map(|text| text.replace(['"', '\\', '\n'], "?")).map_or(String::new(), |text| format!(",\"error\":\"{text}\""));
            format!("{{\"name\":\"{name}\",\"ok\":{}{error}}}", outcome.is_ok())
        })
        .collect();
    println!("{{\"client\":\"rust tonic 0.14.9\",\"checks\":[{}]}}", checks.join(","));
    std::process::exit(failed as i32);
}
