"""The protobuf messages of the bus, built at import from a table of field numbers.

Guarantee: byte-compatible with psrpc's ``internal.proto`` (v0.7.2) and with livekit/protocol's
``rpc/io.proto`` and ``rpc/sip.proto`` as livekit-server v1.13.5 speaks them. ``livekit-protocol`` ships
neither file, so the few messages needed are described here under a package name of our own. The wire
carries no type name for them, so the package is free to choose and cannot clash with a later release.
Enumerations are int32: the numbers are what the wire has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from livekit.protocol import room as lk_room
from livekit.protocol import sip as lk_sip

if TYPE_CHECKING:
    from collections.abc import Iterator

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "trunkline.bus"

_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "float": _Field.TYPE_FLOAT,
}

# Importing these modules is what puts their files into the default pool.
_DEPENDENCIES = (
    any_pb2.DESCRIPTOR.name,
    duration_pb2.DESCRIPTOR.name,
    lk_sip.DESCRIPTOR.name,
    lk_room.DESCRIPTOR.name,
)

# One message an entry, one field a word: name:number:type. ``*`` repeats, ``?`` tells unset from empty,
# ``map`` is map<string, string>, a dot starts the name of another message (without a package: one of this
# table).
_TABLE: dict[str, str] = {
    "Msg": "type_url:1:string value:2:bytes channel:3:string",
    "Request": (
        "request_id:1:string client_id:2:string sent_at:3:int64 expiry:4:int64 multi:5:bool "
        "metadata:7:map raw_request:8:bytes"
    ),
    "ClaimRequest": "request_id:1:string server_id:2:string affinity:3:float",
    "ClaimResponse": "request_id:1:string server_id:2:string",
    "Response": (
        "request_id:1:string server_id:2:string sent_at:3:int64 error:5:string code:6:string "
        "raw_response:7:bytes error_details:8:*.google.protobuf.Any"
    ),
    "SIPCall": (
        "lk_call_id:1:string source_ip:2:string address:3:.livekit.SIPUri from:4:.livekit.SIPUri "
        "to:5:.livekit.SIPUri via:6:*.livekit.SIPUri sip_call_id:7:string project_id:8:string features:9:map"
    ),
    "GetSIPTrunkAuthenticationRequest": (
        "from:2:string to:3:string src_address:4:string to_host:5:string sip_call_id:6:string "
        "from_host:7:string call:8:.SIPCall"
    ),
    "GetSIPTrunkAuthenticationResponse": (
        "username:1:string password:2:string drop:3:bool sip_trunk_id:4:string project_id:5:string "
        "provider_info:6:.livekit.ProviderInfo error_code:7:int32 feature_flags:8:map realm:9:string"
    ),
    "EvaluateSIPDispatchRulesRequest": (
        "sip_participant_id:1:string calling_number:2:string called_number:3:string src_address:4:string "
        "pin:5:string no_pin:6:bool called_host:7:string sip_call_id:8:string extra_attributes:9:map "
        "sip_trunk_id:10:string calling_host:11:string call:12:.SIPCall"
    ),
    "EvaluateSIPDispatchRulesResponse": (
        "room_name:1:string participant_identity:2:string request_pin:3:bool token:4:string ws_url:5:string "
        "result:6:int32 participant_name:7:string participant_metadata:8:string sip_trunk_id:9:string "
        "sip_dispatch_rule_id:10:string participant_attributes:11:map project_id:12:string headers:13:map "
        "headers_to_attributes:14:map enabled_features:15:*int32 "
        "ringing_timeout:16:.google.protobuf.Duration max_call_duration:17:.google.protobuf.Duration "
        "attributes_to_headers:18:map include_headers:19:int32 room_preset:20:string "
        "room_config:21:.livekit.RoomConfiguration media_encryption:22:int32 feature_flags:23:map "
        "media:24:.livekit.SIPMediaConfig"
    ),
    "InternalCreateSIPParticipantRequest": (
        "address:2:string number:3:string call_to:4:string username:5:string password:6:string "
        "room_name:7:string participant_identity:8:string token:9:string ws_url:10:string dtmf:11:string "
        "play_dialtone:12:bool sip_call_id:13:string participant_name:14:string "
        "participant_metadata:15:string transport:16:int32 participant_attributes:17:map "
        "project_id:18:string sip_trunk_id:19:string hostname:20:string headers:21:map "
        "headers_to_attributes:22:map ringing_timeout:23:.google.protobuf.Duration "
        "max_call_duration:24:.google.protobuf.Duration enabled_features:25:*int32 "
        "attributes_to_headers:26:map include_headers:27:int32 media_encryption:28:int32 "
        "wait_until_answered:29:bool destination_country:30:string display_name:31:?string "
        "feature_flags:33:map media:34:.livekit.SIPMediaConfig sip_request_uri:35:.livekit.SIPRequestDest "
        "sip_from_header:36:.livekit.SIPNamedDest sip_to_header:37:.livekit.SIPNamedDest "
        "to_user_override:39:string"
    ),
    "InternalCreateSIPParticipantResponse": (
        "participant_id:1:string participant_identity:2:string sip_call_id:3:string"
    ),
    "InternalTransferSIPParticipantRequest": (
        "sip_call_id:1:string transfer_to:2:string play_dialtone:3:bool headers:4:map "
        "ringing_timeout:5:.google.protobuf.Duration feature_flags:6:map"
    ),
}


def _fields(spec: str) -> Iterator[tuple[str, int, str, str]]:
    for word in spec.split():
        name, number, kind = word.split(":")
        mark = kind[0] if kind[0] in "*?" else ""
        yield name, int(number), kind.removeprefix(mark), mark


def _add_map(message: descriptor_pb2.DescriptorProto, field: Any, owner: str, name: str) -> None:
    entry_name = "".join(part.capitalize() for part in name.split("_")) + "Entry"
    entry = message.nested_type.add(name=entry_name)
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_Field.TYPE_STRING, label=_Field.LABEL_OPTIONAL)
    field.label = _Field.LABEL_REPEATED
    field.type = _Field.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{owner}.{entry_name}"


def _describe() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="trunkline/bus.proto", package=_PACKAGE, syntax="proto3", dependency=_DEPENDENCIES
    )
    for owner, spec in _TABLE.items():
        message = file.message_type.add(name=owner)
        for name, number, kind, mark in _fields(spec):
            field = message.field.add(name=name, number=number, json_name=name)
            field.label = _Field.LABEL_REPEATED if mark == "*" else _Field.LABEL_OPTIONAL
            if mark == "?":
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{name}")
            if kind == "map":
                _add_map(message, field, owner, name)
            elif kind.startswith("."):
                field.type = _Field.TYPE_MESSAGE
                field.type_name = kind if "." in kind[1:] else f".{_PACKAGE}{kind}"
            else:
                field.type = _SCALARS[kind]
    return file


def _build() -> dict[str, type[Any]]:
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(_describe().SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _TABLE
    }


_CLASSES = _build()

Msg = _CLASSES["Msg"]
Request = _CLASSES["Request"]
ClaimRequest = _CLASSES["ClaimRequest"]
ClaimResponse = _CLASSES["ClaimResponse"]
Response = _CLASSES["Response"]
SIPCall = _CLASSES["SIPCall"]
GetSIPTrunkAuthenticationRequest = _CLASSES["GetSIPTrunkAuthenticationRequest"]
GetSIPTrunkAuthenticationResponse = _CLASSES["GetSIPTrunkAuthenticationResponse"]
EvaluateSIPDispatchRulesRequest = _CLASSES["EvaluateSIPDispatchRulesRequest"]
EvaluateSIPDispatchRulesResponse = _CLASSES["EvaluateSIPDispatchRulesResponse"]
InternalCreateSIPParticipantRequest = _CLASSES["InternalCreateSIPParticipantRequest"]
InternalCreateSIPParticipantResponse = _CLASSES["InternalCreateSIPParticipantResponse"]
InternalTransferSIPParticipantRequest = _CLASSES["InternalTransferSIPParticipantRequest"]
