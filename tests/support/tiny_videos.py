"""Videos of three frames that OpenCV cannot write: bare H.264 and H.265 without a container, and AV1."""

import zlib
from base64 import b64decode

H264 = b64decode(
    "AAAAAWdCwAraJaEAAAMAAQAAAwAyDxImoAAAAAFozg/IAAAAAWWIhDomKAAIr8nXXgAAAAFBmiAionFAAEDHE+fz+AAAAAFBmkAionFAAEgLE+fz+A=="
)
H265 = b64decode(
    "AAAAAUABDAH//wFgAAADAJAAAAMAAAMAHpWYCQAAAAFCAQEBYAAAAwCQAAADAAADAB6gQghZZWa5MrmgIAAAAwAgAAADAyEAAAAB"
    "RAHBc9CJAAAAASgBrx2A7iOP/8hD4AAAAAECAdgJfjvuI4/9mOAAAAABAgHQEf/UQwY59QiEM+lvwA=="
)
AV1_MP4 = zlib.decompress(
    b64decode(
        "eNqNE8tKw0Bwkqi0pQfBIkFaiVDBi5JG8eKl4KWCBy/2IELZdhMMZpuabEP11PbkQREKfoR40E8Q7N2DP+HdD6izaatrteKwszO7"
        "89yZWQAwHH7ecEOfAaggKInMAlKLNbYKAJBwAttGWmaU8FQKOfVhcF0xE9b8PDx2ZzNGB5Xg9qXfthbXVMj39nJXcPacNgCeQM+9"
        "v7atBVOdSeZhRxcxIA36TdVZUi4BtCTz/Qh9eiw6ofANtDfcWqCAWF+gfNeaPBfhT8Dw6iYPyCnyx/w0jqn94q31w/I/cYufCeRt"
        "ykOkWdsLuWTR+rJV7hl1CTIGo5NvtxDn4LAfH9ZPqBeMJZFLbVmzjGe/ROrUs4WOUmZu3UEmE7HYqZxmng5lWRrYjpRUuhl4xpBX"
        "FkNe9ZDvhTykkk5XjMWUUohHF6GEtDRVYxL0wUDsJCrsdnAixoPVruAsYfZVHozKljkYIughj0s69q/F3UQhZirfC8ziXW3iThtR"
        "A2UX8pwhLosyj3j0V/MlWxOx2qRctOqI2TEVsCK3BVsZkEbDk5+47g57v3rHfeEwhx+IjIuzTyJn29oo4DKtDyzacCU="
    )
)
