"""Purpose: the state of the GCS contract server: buckets, objects with their generations, folders, and what the methods
of the JSON API do to them, to the letter of their documentation.

Each method of the API is a function here of the name RESOURCE_METHOD(call); what it may be asked (parameters, fields) has
been checked against Google's own description before. Data lies in files, so that big objects cost no memory.
"""

import base64
import hashlib
import json
import os
import re
import threading
import time
import uuid

import google_crc32c

COMPOSE_MAX = 32
REWRITE_STEP = 16 << 20  # bytes that one call of rewrite copies
KEPT_MULTIPLE = 256 << 10  # what a broken upload keeps
CHUNK = 1 << 18


class ApiError(Exception):
    def __init__(self, status, reason, message):
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def not_found(what):
    return ApiError(404, "notFound", f"No such {what}")


def not_met():
    return ApiError(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")


def invalid(message):
    return ApiError(400, "invalid", message)


def now_text(ns=None):
    ns = ns or time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ns // 10**9)) + f".{ns % 10**9 // 10**6:03}Z"


class Data:
    """Bytes in a file, with their checksums; parts of a composition are copied together."""

    def __init__(self, path):
        self.path, self.size = path, 0
        self.crc = google_crc32c.Checksum()
        self.md5 = hashlib.md5()

    def append(self, data):
        with open(self.path, "ab") as f:
            f.write(data)
        self.size += len(data)
        self.crc.update(data)
        self.md5.update(data)

    def cut(self, size):
        """Back to its first `size` bytes."""
        with open(self.path, "ab") as f:
            f.truncate(size)
        self.size, self.crc, self.md5 = 0, google_crc32c.Checksum(), hashlib.md5()
        for chunk in self.chunks(0, size):
            self.size += len(chunk)
            self.crc.update(chunk)
            self.md5.update(chunk)

    def chunks(self, offset, length):
        if not length:
            return
        with open(self.path, "rb") as f:
            f.seek(offset)
            while length:
                chunk = f.read(min(CHUNK, length))
                if not chunk:
                    return
                length -= len(chunk)
                yield chunk

    @property
    def crc32c(self):
        return base64.b64encode(self.crc.digest()).decode()


class Version:
    """One generation of an object."""

    def __init__(self, name, generation, data, resource):
        self.name, self.generation, self.metageneration, self.data = name, generation, 1, data
        self.created = self.updated = now_text()
        self.deleted = None
        self.component_count = None
        self.content_type = resource.get("contentType") or "application/octet-stream"
        self.metadata = {k: v for k, v in (resource.get("metadata") or {}).items() if v is not None}
        self.storage_class = resource.get("storageClass") or "STANDARD"
        self.extra = {k: resource[k] for k in ("cacheControl", "contentEncoding", "contentDisposition", "contentLanguage")
                      if resource.get(k)}

    def resource(self, bucket):
        found = {
            "kind": "storage#object", "id": f"{bucket}/{self.name}/{self.generation}", "name": self.name,
            "bucket": bucket, "generation": str(self.generation), "metageneration": str(self.metageneration),
            "contentType": self.content_type, "timeCreated": self.created, "updated": self.updated,
            "storageClass": self.storage_class, "timeStorageClassUpdated": self.created, "size": str(self.data.size),
            "crc32c": self.data.crc32c, "etag": f"{self.generation}/{self.metageneration}", **self.extra,
        }
        if self.component_count:
            found["componentCount"] = self.component_count
        else:
            found["md5Hash"] = base64.b64encode(self.data.md5.digest()).decode()
        if self.metadata:
            found["metadata"] = self.metadata
        if self.deleted:
            found["timeDeleted"] = self.deleted
        return found


class Bucket:
    def __init__(self, resource, project):
        self.name, self.project = resource["name"], project
        self.created = now_text()
        self.metageneration = 1
        self.location = resource.get("location") or "US"
        self.is_versioned = bool((resource.get("versioning") or {}).get("enabled"))
        self.is_hierarchical = bool((resource.get("hierarchicalNamespace") or {}).get("enabled"))
        self.objects = {}  # name -> generations, oldest first; the last one is live unless deleted
        self.folders = {}  # name -> resource
        self.operations = {}
        self.policy = {"version": 1, "bindings": []}

    def resource(self):
        found = {"kind": "storage#bucket", "id": self.name, "name": self.name, "timeCreated": self.created,
                 "updated": self.created, "location": self.location, "storageClass": "STANDARD",
                 "metageneration": str(self.metageneration), "etag": str(self.metageneration), "projectNumber": "1"}
        if self.is_versioned:
            found["versioning"] = {"enabled": True}
        if self.is_hierarchical:
            found["hierarchicalNamespace"] = {"enabled": True}
        return found

    def live(self, name):
        versions = self.objects.get(name)
        return versions[-1] if versions and not versions[-1].deleted else None


class Store:
    def __init__(self, directory):
        self.lock = threading.RLock()
        self.directory = directory
        self.buckets, self.sessions, self.rewrites = {}, {}, {}
        self.last_generation = 0

    def new_data(self):
        return Data(os.path.join(self.directory, uuid.uuid4().hex))

    def generation(self):
        self.last_generation = max(self.last_generation + 1, time.time_ns() // 1000)
        return self.last_generation

    def bucket(self, name):
        if name not in self.buckets:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    # ---- conditions and look-ups ----

    @staticmethod
    def check(call, version, prefix="if"):
        """The four conditions, on the live version (None: there is none)."""
        generation = version.generation if version else 0
        meta = version.metageneration if version else 0
        q = call.query
        if (f"{prefix}GenerationMatch" in q and int(q[f"{prefix}GenerationMatch"]) != generation) or (
                f"{prefix}MetagenerationMatch" in q and int(q[f"{prefix}MetagenerationMatch"]) != meta):
            raise not_met()
        if (f"{prefix}GenerationNotMatch" in q and int(q[f"{prefix}GenerationNotMatch"]) == generation) or (
                f"{prefix}MetagenerationNotMatch" in q and int(q[f"{prefix}MetagenerationNotMatch"]) == meta):
            raise ApiError(304, "notModified", "Not Modified") if call.method == "GET" else not_met()

    def find(self, bucket, name, generation=None):
        if generation is None:
            version = bucket.live(name)
        else:
            version = next((v for v in bucket.objects.get(name, []) if str(v.generation) == str(generation)), None)
        if not version:
            raise not_found(f"object: {bucket.name}/{name}")
        return version

    @staticmethod
    def check_name(name):
        if not name or len(name.encode()) > 1024 or re.search(r"[\r\n]", name) or name in (".", "..") or name.startswith(
                ".well-known/acme-challenge/"):
            raise invalid(f"Invalid object name: '{name[:80]}'")

    def add(self, bucket, name, data, resource):
        self.check_name(name)
        for key, value in (resource.get("metadata") or {}).items():
            if value is not None and not isinstance(value, str):
                raise invalid(f"metadata.{key} is no string")
        if sum(len(k.encode()) + len((v or "").encode()) for k, v in (resource.get("metadata") or {}).items()) > 8192:
            raise ApiError(400, "metadataTooLarge", "Custom metadata is too large.")
        version = Version(name, self.generation(), data, resource)
        if bucket.live(name):
            self.retire(bucket, name)
        bucket.objects.setdefault(name, []).append(version)
        if bucket.is_hierarchical:
            parts = name.split("/")[:-1]
            for i in range(len(parts)):
                self.add_folder(bucket, "/".join(parts[:i + 1]) + "/")
        return version

    @staticmethod
    def retire(bucket, name):
        """The live version becomes a noncurrent one, or goes."""
        versions = bucket.objects[name]
        if bucket.is_versioned:
            versions[-1].deleted = now_text()
        else:
            versions.pop()
            if not versions:
                del bucket.objects[name]

    # ---- objects ----

    def insert(self, call, bucket_name, data, resource):
        with self.lock:
            bucket = self.bucket(bucket_name)
            name = call.query.get("name") or resource.get("name")
            if not name:
                raise ApiError(400, "required", "Required parameter: name")
            self.check_name(name)
            self.check(call, bucket.live(name))
            if resource.get("crc32c") and resource["crc32c"] != data.crc32c:
                raise invalid(f"Provided CRC32C \"{resource['crc32c']}\" doesn't match calculated CRC32C "
                              f"\"{data.crc32c}\".")
            if resource.get("md5Hash") and resource["md5Hash"] != base64.b64encode(data.md5.digest()).decode():
                raise invalid("Provided MD5 hash doesn't match calculated MD5 hash.")
            return self.add(bucket, name, data, resource).resource(bucket.name)

    def objects_get(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            version = self.find(bucket, call.path["object"], call.query.get("generation"))
            self.check(call, version)
            if call.query.get("alt") == "media":
                return version
            return version.resource(bucket.name)

    def objects_list(self, call):
        with self.lock:
            bucket, q = self.bucket(call.path["bucket"]), call.query
            prefix, delimiter = q.get("prefix", ""), q.get("delimiter", "")
            start, end = q.get("startOffset", "").encode(), q.get("endOffset")
            limit = int(q.get("maxResults", "1000"))
            limit = 1000 if limit <= 0 or limit > 1000 else limit
            entries = []  # (sort key, prefix or None, version or None)
            seen = set()
            names = [(n.encode(), n) for n in bucket.objects if n.startswith(prefix)]
            if q.get("includeFoldersAsPrefixes") == "true" and delimiter:
                names += [(n.encode(), n) for n in bucket.folders if n.startswith(prefix) and n != prefix]
            for key, name in sorted(names):
                if key < start or (end and key >= end.encode()):
                    continue
                rest = name[len(prefix):]
                if delimiter and delimiter in rest:
                    common = prefix + rest.split(delimiter)[0] + delimiter
                    is_folder = name in bucket.folders and name not in bucket.objects
                    if common not in seen and (is_folder or self.shown(bucket, name, q)):
                        seen.add(common)
                        entries.append(((common.encode(), 0), common, None))
                    continue
                for version in self.shown(bucket, name, q):
                    entries.append(((key, version.generation), None, version))
            entries.sort(key=lambda e: e[0])
            if "pageToken" in q:
                entries = [e for e in entries if e[0] > self.read_token(q["pageToken"])]
            page = entries[:limit]
            found = {"kind": "storage#objects"}
            items = [v.resource(bucket.name) for _, _, v in page if v]
            prefixes = [p for _, p, _ in page if p]
            if items:
                found["items"] = items
            if prefixes:
                found["prefixes"] = prefixes
            if len(entries) > limit:
                found["nextPageToken"] = self.token(page[-1][0])
            return found

    @staticmethod
    def shown(bucket, name, q):
        versions = bucket.objects.get(name, [])
        return versions if q.get("versions") == "true" else [v for v in versions[-1:] if not v.deleted]

    @staticmethod
    def token(key):
        return base64.urlsafe_b64encode(json.dumps([key[0].decode(), key[1]]).encode()).decode()

    @staticmethod
    def read_token(text):
        try:
            name, generation = json.loads(base64.urlsafe_b64decode(text))
            return name.encode(), generation
        except (ValueError, TypeError):
            raise invalid("Invalid pageToken") from None

    def objects_patch(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            version = self.find(bucket, call.path["object"], call.query.get("generation"))
            self.check(call, version)
            if "metadata" in call.body:
                if call.body["metadata"] is None:
                    version.metadata = {}
                else:
                    merged = {**version.metadata, **call.body["metadata"]}
                    version.metadata = {k: v for k, v in merged.items() if v is not None}
            if call.body.get("contentType"):
                version.content_type = call.body["contentType"]
            version.metageneration += 1
            version.updated = now_text()
            return version.resource(bucket.name)

    def objects_delete(self, call):
        with self.lock:
            bucket, name = self.bucket(call.path["bucket"]), call.path["object"]
            generation = call.query.get("generation")
            version = self.find(bucket, name, generation)
            self.check(call, version)
            versions = bucket.objects[name]
            if generation is None:
                self.retire(bucket, name)
            else:
                versions.remove(version)
                if not versions:
                    del bucket.objects[name]

    def objects_rewrite(self, call):
        with self.lock:
            source_bucket = self.bucket(call.path["sourceBucket"])
            bucket = self.bucket(call.path["destinationBucket"])
            source = self.find(source_bucket, call.path["sourceObject"], call.query.get("sourceGeneration"))
            name = call.path["destinationObject"]
            self.check(call, source, "ifSource")
            self.check(call, bucket.live(name))
            token, size = call.query.get("rewriteToken"), source.data.size
            what = (source.generation, bucket.name, name)
            done = 0
            if token:
                if self.rewrites.get(token, (None, 0))[0] != what:
                    raise invalid("Invalid rewriteToken")
                done = self.rewrites.pop(token)[1]
            done += int(call.query.get("maxBytesRewrittenPerCall", REWRITE_STEP))
            if done < size:
                token = uuid.uuid4().hex
                self.rewrites[token] = (what, done)
                return {"kind": "storage#rewriteResponse", "totalBytesRewritten": str(done), "objectSize": str(size),
                        "done": False, "rewriteToken": token}
            version = self.add(bucket, name, source.data, call.body or source.resource(source_bucket.name))
            version.component_count = source.component_count
            return {"kind": "storage#rewriteResponse", "totalBytesRewritten": str(size), "objectSize": str(size),
                    "done": True, "resource": version.resource(bucket.name)}

    def objects_move(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            source = self.find(bucket, call.path["sourceObject"])
            name = call.path["destinationObject"]
            if name == source.name:
                raise invalid("The source and destination are the same object.")
            self.check(call, source, "ifSource")
            self.check(call, bucket.live(name))
            version = self.add(bucket, name, source.data, source.resource(bucket.name))
            version.component_count = source.component_count
            self.retire(bucket, source.name)
            return version.resource(bucket.name)

    def objects_compose(self, call):
        with self.lock:
            bucket, name = self.bucket(call.path["destinationBucket"]), call.path["destinationObject"]
            sources = call.body.get("sourceObjects") or []
            if not 1 <= len(sources) <= COMPOSE_MAX:
                raise invalid(f"The number of source components provided ({len(sources)}) is not in 1 .. {COMPOSE_MAX}")
            versions = []
            for source in sources:
                version = self.find(bucket, source["name"], source.get("generation"))
                wanted = (source.get("objectPreconditions") or {}).get("ifGenerationMatch")
                if wanted is not None and int(wanted) != version.generation:
                    raise not_met()
                versions.append(version)
            self.check(call, bucket.live(name))
            data = self.new_data()
            for version in versions:
                for chunk in version.data.chunks(0, version.data.size):
                    data.append(chunk)
            version = self.add(bucket, name, data, call.body.get("destination") or {})
            version.component_count = sum(v.component_count or 1 for v in versions)
            return version.resource(bucket.name)

    # ---- buckets ----

    def buckets_insert(self, call):
        with self.lock:
            name = call.body.get("name", "")
            if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name) or ".." in name:
                raise invalid(f"Invalid bucket name: '{name[:80]}'")
            if name in self.buckets:
                raise ApiError(409, "conflict", "Your previous request to create the named bucket succeeded and you "
                                                "already own it.")
            bucket = Bucket(call.body, call.query["project"])
            uniform = ((call.body.get("iamConfiguration") or {}).get("uniformBucketLevelAccess") or {}).get("enabled")
            if bucket.is_hierarchical and not uniform:
                raise invalid("Hierarchical namespace buckets must use uniform bucket-level access.")
            self.buckets[name] = bucket
            return bucket.resource()

    def buckets_list(self, call):
        with self.lock:
            names = sorted(n for n, b in self.buckets.items() if b.project == call.query["project"])
            if "pageToken" in call.query:
                names = [n for n in names if n > call.query["pageToken"]]
            page = names[:int(call.query.get("maxResults", "1000"))]
            found = {"kind": "storage#buckets", "items": [self.buckets[n].resource() for n in page]}
            if len(page) < len(names):
                found["nextPageToken"] = page[-1]
            return found

    def buckets_get(self, call):
        with self.lock:
            return self.bucket(call.path["bucket"]).resource()

    def buckets_getStorageLayout(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            return {"kind": "storage#storageLayout", "bucket": bucket.name, "location": bucket.location,
                    "locationType": "multi-region", "hierarchicalNamespace": {"enabled": bucket.is_hierarchical}}

    def buckets_patch(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            if "versioning" in call.body:
                bucket.is_versioned = bool((call.body["versioning"] or {}).get("enabled"))
            bucket.metageneration += 1
            return bucket.resource()

    def buckets_delete(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            if bucket.objects or bucket.folders:
                raise ApiError(409, "conflict", "The bucket you tried to delete is not empty.")
            del self.buckets[bucket.name]

    def policy(self, bucket):
        etag = base64.b64encode(hashlib.md5(json.dumps(bucket.policy, sort_keys=True).encode()).digest()).decode()
        return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{bucket.name}", **bucket.policy, "etag": etag}

    def buckets_getIamPolicy(self, call):
        with self.lock:
            return self.policy(self.bucket(call.path["bucket"]))

    def buckets_setIamPolicy(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            if call.body.get("etag") and call.body["etag"] != self.policy(bucket)["etag"]:
                raise not_met()
            for binding in call.body.get("bindings", []):
                if not binding.get("role", "").startswith("roles/") or not binding.get("members"):
                    raise invalid("Invalid binding")
            bucket.policy = {"version": call.body.get("version", 1), "bindings": call.body.get("bindings", [])}
            return self.policy(bucket)

    # ---- folders ----

    @staticmethod
    def add_folder(bucket, name):
        bucket.folders.setdefault(name, {"kind": "storage#folder", "name": name, "bucket": bucket.name,
                                         "id": f"{bucket.name}/{name}", "metageneration": "1", "createTime": now_text()})

    def hierarchical(self, call):
        bucket = self.bucket(call.path["bucket"])
        if not bucket.is_hierarchical:
            raise invalid("The bucket does not support hierarchical namespace.")
        return bucket

    def folders_insert(self, call):
        with self.lock:
            bucket, name = self.hierarchical(call), call.body.get("name", "")
            if not name.endswith("/"):
                raise invalid("A folder's name ends with a slash.")
            if name in bucket.folders:
                raise ApiError(409, "conflict", "The folder already exists.")
            parents = name.split("/")[:-2]
            for i in range(len(parents)):
                parent = "/".join(parents[:i + 1]) + "/"
                if parent not in bucket.folders and call.query.get("recursive") != "true":
                    raise not_found(f"folder: {parent}")
                self.add_folder(bucket, parent)
            self.add_folder(bucket, name)
            return bucket.folders[name]

    def folders_get(self, call):
        with self.lock:
            bucket = self.hierarchical(call)
            if call.path["folder"] not in bucket.folders:
                raise not_found("folder")
            return bucket.folders[call.path["folder"]]

    def folders_list(self, call):
        with self.lock:
            bucket = self.hierarchical(call)
            prefix = call.query.get("prefix", "")
            return {"kind": "storage#folders",
                    "items": [bucket.folders[n] for n in sorted(bucket.folders) if n.startswith(prefix)]}

    def folders_delete(self, call):
        with self.lock:
            bucket, name = self.hierarchical(call), call.path["folder"]
            if name not in bucket.folders:
                raise not_found("folder")
            if any(n.startswith(name) and n != name for n in [*bucket.folders, *bucket.objects]):
                raise ApiError(409, "conflict", "The folder you tried to delete is not empty.")
            del bucket.folders[name]

    def folders_rename(self, call):
        with self.lock:
            bucket = self.hierarchical(call)
            source, target = call.path["sourceFolder"], call.path["destinationFolder"]
            if source not in bucket.folders:
                raise not_found("folder")
            parent = target.rstrip("/").rpartition("/")[0]
            if parent and parent + "/" not in bucket.folders:
                raise not_found("parent folder")
            identity = uuid.uuid4().hex
            operation = {"kind": "storage#operation", "name": f"projects/_/buckets/{bucket.name}/operations/{identity}",
                         "done": False, "metadata": {}}
            bucket.operations[identity] = operation
            if target in bucket.folders or any(n.startswith(target) for n in bucket.objects):
                failure = {"code": 6, "message": "The destination folder already exists."}
                bucket.operations[identity] = {**operation, "done": True, "error": failure}
                return operation
            bucket.folders = {self.moved(n, source, target): {**f, "name": self.moved(n, source, target)}
                              for n, f in bucket.folders.items()}
            bucket.objects = {self.moved(n, source, target): versions for n, versions in bucket.objects.items()}
            for name, versions in bucket.objects.items():
                for version in versions:
                    version.name = name
            bucket.operations[identity] = {**operation, "done": True, "response": {}}
            return operation

    @staticmethod
    def moved(name, source, target):
        return target + name[len(source):] if name.startswith(source) else name

    def buckets_operations_get(self, call):
        with self.lock:
            bucket = self.bucket(call.path["bucket"])
            if call.path["operationId"] not in bucket.operations:
                raise not_found("operation")
            return bucket.operations[call.path["operationId"]]
