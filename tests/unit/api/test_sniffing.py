from __future__ import annotations

import pytest

from hookline_service.api.content_type import sniff

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
MP4 = b"\x00\x00\x00\x18ftyp"


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", TEXT),
        (b"hello", TEXT),
        (b'{"json": 1}', TEXT),
        (b"\t tab and\x1bescape", TEXT),
        ("grüße".encode(), TEXT),
        (b"<!DOCTYPE html>", HTML),
        (b"<!doctype HTML >", HTML),
        (b" \n\t<html>", HTML),
        (b"<HtMl lang=en>", HTML),
        (b"<p>", HTML),
        (b"<a href=x>", HTML),
        (b"<b>", HTML),
        (b"<!-- note -->", HTML),
        (b"<!--note-->", TEXT),
        (b"<pre>", TEXT),
        (b"<html", TEXT),
        (b"<h2>", TEXT),
        (b"text <html>", TEXT),
        (b"<?xml version='1.0'?>", "text/xml; charset=utf-8"),
        (b"%PDF-1.7", "application/pdf"),
        (b"%!PS-Adobe-3.0", "application/postscript"),
        (b"\xef\xbb\xbfhello", TEXT),
        (b"\xfe\xff\x00h", "text/plain; charset=utf-16be"),
        (b"\xff\xfeh\x00", "text/plain; charset=utf-16le"),
        (b"\xff\xfe", TEXT),
        (b"\x00\x00\x01\x00\x01", "image/x-icon"),
        (b"BMxx", "image/bmp"),
        (b"GIF89a", "image/gif"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt", "audio/wave"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/avi"),
        (b"FORM\x00\x00\x00\x00AIFF", "audio/aiff"),
        (b"ID3\x03", "audio/mpeg"),
        (b"OggS\x00\x02", "application/ogg"),
        (b"MThd\x00\x00\x00\x06", "audio/midi"),
        (b"\x1a\x45\xdf\xa3", "video/webm"),
        (MP4 + b"mp42\x00\x00\x00\x00isomavc1", "video/mp4"),
        (MP4 + b"isom\x00\x00\x00\x00mp41avc1", "video/mp4"),
        (MP4 + b"qt  \x00\x00\x00\x00qt  qt  ", BINARY),
        (b"\xff\xff\xff\xffftypmp42", TEXT),
        (b"\x00" * 34 + b"LP", "application/vnd.ms-fontobject"),
        (b"\x00\x01\x00\x00\x00", "font/ttf"),
        (b"wOF2", "font/woff2"),
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"PK\x03\x04\x14", "application/zip"),
        (b"Rar!\x1a\x07\x01\x00", "application/x-rar-compressed"),
        (b"\x00asm\x01", "application/wasm"),
        (b"\x00\x01\x02", BINARY),
        (b"text with \x01", BINARY),
        (b"x" * 512 + b"\x00", TEXT),
    ],
)
def test_the_type_of_a_body_is_seen_from_its_beginning(body: bytes, media_type: str):
    assert sniff(body) == media_type
