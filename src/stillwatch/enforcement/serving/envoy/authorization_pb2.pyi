from google.protobuf import struct_pb2 as _struct_pb2
from stillwatch.enforcement.serving.envoy import headers_pb2 as _headers_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CheckRequest(_message.Message):
    __slots__ = ("attributes",)
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    attributes: Attributes
    def __init__(self, attributes: _Optional[_Union[Attributes, _Mapping]] = ...) -> None: ...

class Attributes(_message.Message):
    __slots__ = ("request", "context_extensions")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_EXTENSIONS_FIELD_NUMBER: _ClassVar[int]
    request: Request
    context_extensions: _containers.RepeatedCompositeFieldContainer[_headers_pb2.Header]
    def __init__(self, request: _Optional[_Union[Request, _Mapping]] = ..., context_extensions: _Optional[_Iterable[_Union[_headers_pb2.Header, _Mapping]]] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("http",)
    HTTP_FIELD_NUMBER: _ClassVar[int]
    http: HttpRequest
    def __init__(self, http: _Optional[_Union[HttpRequest, _Mapping]] = ...) -> None: ...

class HttpRequest(_message.Message):
    __slots__ = ("headers", "path", "body", "raw_body", "header_map")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    RAW_BODY_FIELD_NUMBER: _ClassVar[int]
    HEADER_MAP_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[_headers_pb2.Header]
    path: bytes
    body: bytes
    raw_body: bytes
    header_map: _headers_pb2.HeaderMap
    def __init__(self, headers: _Optional[_Iterable[_Union[_headers_pb2.Header, _Mapping]]] = ..., path: _Optional[bytes] = ..., body: _Optional[bytes] = ..., raw_body: _Optional[bytes] = ..., header_map: _Optional[_Union[_headers_pb2.HeaderMap, _Mapping]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("status", "denied_response", "ok_response", "dynamic_metadata")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DENIED_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    OK_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_METADATA_FIELD_NUMBER: _ClassVar[int]
    status: Status
    denied_response: Denied
    ok_response: Passed
    dynamic_metadata: _struct_pb2.Struct
    def __init__(self, status: _Optional[_Union[Status, _Mapping]] = ..., denied_response: _Optional[_Union[Denied, _Mapping]] = ..., ok_response: _Optional[_Union[Passed, _Mapping]] = ..., dynamic_metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ("code",)
    CODE_FIELD_NUMBER: _ClassVar[int]
    code: int
    def __init__(self, code: _Optional[int] = ...) -> None: ...

class Denied(_message.Message):
    __slots__ = ("status", "headers", "body")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    status: _headers_pb2.HttpStatus
    headers: _containers.RepeatedCompositeFieldContainer[_headers_pb2.HeaderToSet]
    body: bytes
    def __init__(self, status: _Optional[_Union[_headers_pb2.HttpStatus, _Mapping]] = ..., headers: _Optional[_Iterable[_Union[_headers_pb2.HeaderToSet, _Mapping]]] = ..., body: _Optional[bytes] = ...) -> None: ...

class Passed(_message.Message):
    __slots__ = ("headers", "headers_to_remove")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_TO_REMOVE_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[_headers_pb2.HeaderToSet]
    headers_to_remove: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, headers: _Optional[_Iterable[_Union[_headers_pb2.HeaderToSet, _Mapping]]] = ..., headers_to_remove: _Optional[_Iterable[bytes]] = ...) -> None: ...
