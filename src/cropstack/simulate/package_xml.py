"""The other XML files of a Level-1C product: datastrip, INSPIRE, quality reports, manifest.

SOURCE: Sentinel-2 Products Specification Document 14, and real products before and after processing baseline 04.00.
Left out: the telemetry of the datastrip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from cropstack.simulate.l1c_product import (
    HEADER,
    PSD,
    SHA3_FROM,
    XSI,
    Content,
    L1CProduct,
    datatake_xml,
    iso,
    lines,
)


def datastrip_xml(product: L1CProduct) -> str:
    """Datastrip metadata: whose acquisition, when, which tile."""
    stop = product.datastrip + timedelta(minutes=10)
    return f"""{HEADER}<n1:Level-1C_DataStrip_ID xmlns:n1="{PSD}/S2_PDI_Level-1C_Datastrip_Metadata.xsd" {XSI}>
  <n1:General_Info>
    <Datatake_Info datatakeIdentifier="{product.datatake_id}" metadataLevel="Brief">
{datatake_xml(product)}
    </Datatake_Info>
    <Datastrip_Time_Info metadataLevel="Brief">
      <DATASTRIP_SENSING_START>{iso(product.datastrip)}</DATASTRIP_SENSING_START>
      <DATASTRIP_SENSING_STOP>{iso(stop)}</DATASTRIP_SENSING_STOP>
    </Datastrip_Time_Info>
    <Processing_Info metadataLevel="Expertise">
      <PROCESSING_BASELINE>{product.processing_baseline}</PROCESSING_BASELINE>
      <PROCESSING_CENTER>{product.station}</PROCESSING_CENTER>
      <UTC_DATE_TIME>{iso(product.generated)}</UTC_DATE_TIME>
    </Processing_Info>
  </n1:General_Info>
  <n1:Image_Data_Info>
    <Tiles_Information metadataLevel="Standard">
      <Tile_List>
        <Tile tileId="{product.granule_id}"/>
      </Tile_List>
    </Tiles_Information>
  </n1:Image_Data_Info>
</n1:Level-1C_DataStrip_ID>
"""


def inspire_xml(product: L1CProduct, content: Content) -> str:
    """INSPIRE metadata (ISO 19139), the elements that name the product."""
    iso19139 = "http://www.isotc211.org/2005"
    return f"""{HEADER}<gmd:MD_Metadata xmlns:gco="{iso19139}/gco" xmlns:gmd="{iso19139}/gmd">
  <gmd:fileIdentifier><gco:CharacterString>{product.id}</gco:CharacterString></gmd:fileIdentifier>
  <gmd:dateStamp><gco:Date>{product.generated:%Y-%m-%d}</gco:Date></gmd:dateStamp>
  <gmd:identificationInfo>
    <gmd:MD_DataIdentification>
      <gmd:citation>
        <gmd:CI_Citation>
          <gmd:title><gco:CharacterString>{product.id}.SAFE</gco:CharacterString></gmd:title>
        </gmd:CI_Citation>
      </gmd:citation>
      <gmd:abstract><gco:CharacterString>{content.positions}</gco:CharacterString></gmd:abstract>
    </gmd:MD_DataIdentification>
  </gmd:identificationInfo>
</gmd:MD_Metadata>
"""


def report_xml(product: L1CProduct, name: str, item: str) -> str:
    """A report of the agency's quality control: all checks passed."""
    stamp = f"{product.generated:%Y-%m-%dT%H:%M:%S}"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Earth_Explorer_File xmlns="http://gs2.esa.int/DATA_STRUCTURE/olqcReport">
  <Earth_Explorer_Header>
    <Fixed_Header>
      <File_Name>{name}.xml</File_Name>
      <File_Description>Report produced by OLQC-SC</File_Description>
      <Mission>{product.platform}</Mission>
      <File_Class>OPER</File_Class>
      <File_Type>REP_OLQCPA</File_Type>
      <Source>
        <System>OLQC-SC</System>
        <Creation_Date>UTC={stamp}</Creation_Date>
      </Source>
    </Fixed_Header>
  </Earth_Explorer_Header>
  <Data_Block type="xml">
    <report date="{stamp}.000Z" gippVersion="1.0" globalStatus="PASSED">
      <checkList>
        <name>{name}</name>
        <version>1.0</version>
        <item name="{item}"/>
      </checkList>
    </report>
  </Data_Block>
</Earth_Explorer_File>
"""


@dataclass(frozen=True)
class ListedFile:
    """A file of the product as the manifest lists it: `name` relative to the product, `checksum` hexadecimal."""

    name: str
    size: int
    checksum: str


def manifest_xml(product: L1CProduct, content: Content, files: Sequence[ListedFile]) -> str:
    """The SAFE manifest: what the product is, and size and checksum of every other file."""
    safe = "http://www.esa.int/safe/sentinel/1.1"
    algorithm = "SHA3-256" if product.processing_baseline >= SHA3_FROM else "MD5"
    objects = lines(_data_object(number, file, algorithm) for number, file in enumerate(files, start=1))
    return f"""{HEADER}<xfdu:XFDU xmlns:gml="http://www.opengis.net/gml" xmlns:safe="{safe}"
           xmlns:xfdu="urn:ccsds:schema:xfdu:1"
           version="esa/safe/sentinel/1.1/sentinel-2/msi/archive_l1c_user_product">
  <informationPackageMap>
    <xfdu:contentUnit dmdID="acquisitionPeriod platform" pdiID="processing"
                      textInfo="SENTINEL-2 MSI Level-1C User Product" unitType="Product_Level-1C">
{lines(f'      <dataObjectPointer dataObjectID="File_{number}"/>' for number in range(1, len(files) + 1))}
    </xfdu:contentUnit>
  </informationPackageMap>
  <metadataSection>
{_metadata_objects(product, content)}
  </metadataSection>
  <dataObjectSection>
{objects}
  </dataObjectSection>
</xfdu:XFDU>
"""


def _metadata_objects(product: L1CProduct, content: Content) -> str:
    parts = {
        "acquisitionPeriod": f"<safe:acquisitionPeriod><safe:startTime>{iso(product.datatake)}</safe:startTime>"
        "</safe:acquisitionPeriod>",
        "measurementOrbitReference": "<safe:orbitReference>"
        '<safe:orbitNumber groundTrackDirection="descending" type="start">'
        f"{product.absolute_orbit:06d}</safe:orbitNumber>"
        f'<safe:relativeOrbitNumber type="start">{product.relative_orbit:03d}</safe:relativeOrbitNumber>'
        "</safe:orbitReference>",
        "platform": "<safe:platform><safe:familyName>SENTINEL</safe:familyName>"
        f"<safe:number>{product.platform[1:]}</safe:number><safe:instrument>"
        '<safe:familyName abbreviation="MSI">Multi-Spectral Instrument</safe:familyName></safe:instrument>'
        "</safe:platform>",
        "processing": '<safe:processing name="Generation of Level-1C User Product" '
        f'start="{iso(product.generated, decimals=6)}"/>',
        "measurementFrameSet": "<safe:frameSet>"
        '<safe:footPrint srsName="http://www.opengis.net/gml/srs/epsg.xml#4326">'
        f"<gml:coordinates>{content.positions} </gml:coordinates></safe:footPrint></safe:frameSet>",
    }
    return lines(
        f'    <metadataObject ID="{name}" category="{"PDI" if name == "processing" else "DMD"}">'
        f'<metadataWrap mimeType="text/xml" vocabularyName="Sentinel-SAFE"><xmlData>{body}</xmlData></metadataWrap>'
        "</metadataObject>"
        for name, body in parts.items()
    )


def _data_object(number: int, file: ListedFile, algorithm: str) -> str:
    mime = "application/octet-stream" if PurePosixPath(file.name).suffix == ".jp2" else "text/xml"
    return f"""    <dataObject ID="File_{number}">
      <byteStream mimeType="{mime}" size="{file.size}">
        <fileLocation href="./{file.name}" locatorType="URL"/>
        <checksum checksumName="{algorithm}">{file.checksum}</checksum>
      </byteStream>
    </dataObject>"""
