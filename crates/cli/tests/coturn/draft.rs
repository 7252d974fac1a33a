//! ADDITIONAL-ADDRESS-FAMILY as `turnutils_uclient` knows it: until 2025 coturn had the number of a
//! draft for it (coturn issue 1740), and a server that follows RFC 8656 ignores that one. Requests
//! get the number of the RFC on their way, and a new signature.

use stun_types::attribute::{AttributeType, Fingerprint, MessageIntegrity};
use stun_types::message::{IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageWriteVec};
use stun_types::prelude::*;
use turn_types::AddressFamily;
use turn_types::attribute::AdditionalAddressFamily;

use crate::server::{REALM, Server};
use crate::uclient::{ANN, Uclient};
use crate::wiretap::Wiretap;

const DRAFT: AttributeType = AttributeType::new(0x8032);

/// What translates for clients of this address of the server.
pub(crate) fn translator(server: &Server, address: &str) -> Wiretap {
    Wiretap::rewriting(server, address, translated)
}

/// Clients that want both families (`-Z`).
pub(crate) fn dual(translator: &Wiretap, address: &str, options: &str) -> Uclient {
    Uclient::to_port(translator.port, &ANN, address, &format!("-Z {options}"))
}

fn translated(datagram: &[u8]) -> Vec<u8> {
    let message = Message::from_bytes(datagram).ok().filter(|it| it.has_attribute(DRAFT));
    let Some(message) = message else { return datagram.to_vec() };
    let id = message.transaction_id();
    let mut new = Message::builder(message.get_type(), id, MessageWriteVec::new());
    for (_, attribute) in message.iter_attributes() {
        match attribute.get_type() {
            DRAFT => new.add_attribute(&AdditionalAddressFamily::new(AddressFamily::IPV6)).unwrap(),
            MessageIntegrity::TYPE | Fingerprint::TYPE => {}
            _ => new.add_attribute(&attribute).unwrap(),
        }
    }
    if message.has_attribute(MessageIntegrity::TYPE) {
        let [_, user, _, password] = ANN.map(str::to_owned);
        let key = LongTermKeyCredentials::new(user, password, REALM.to_owned());
        new.add_message_integrity(&key.into(), IntegrityAlgorithm::Sha1).unwrap();
    }
    new.finish()
}
